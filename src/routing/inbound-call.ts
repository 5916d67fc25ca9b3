/** A call as its ingress hands it over: everything the rest of the service may know of it. */

export interface InboundCall {
  /** "sip" or the carrier's name. */
  readonly ingress: string;
  /** Identity of the call for ever: the same for every retry and duplicate. */
  readonly ingressKey: string;
  /** SIP Call-ID or the carrier's call id, as text. */
  readonly ingressCallId: string;
  /** E.164, or what was dialled when it is no such number. */
  readonly promoNumber: string;
  /** E.164; null when anonymous or unreadable. */
  readonly caller: string | null;
  /** E.164 of the party that forwarded the call to us, as a trusted ingress names it; null when none did. */
  readonly diversion: string | null;
  /** As the carrier looked it up or the network sent it; null when none was. */
  readonly callerName: string | null;
  /** STIR/SHAKEN verdict as the trusted carrier gave it. */
  readonly verstat: string | null;
  /** The node that holds the dialog; null when the carrier does. */
  readonly node: string | null;
}

/** Dialled texts are stored; a longer one is no number. */
const DIALLED_CHARS_MAX = 64;

export function printableDialled(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, "?").slice(0, DIALLED_CHARS_MAX);
}
