/** A call to the development phone: from its INVITE to its end. Made by sip-phone.ts, shown to its owner as an IncomingCall. */
import type { Incoming } from "../sip/edge/call-state.js";
import { uasDialogFacts } from "../sip/edge/dialog.js";
import { firstSeq } from "../sip/edge/edge-context.js";
import { respond } from "../sip/edge/incoming.js";
import { ownContact } from "../sip/edge/own-address.js";
import { fromBytesText, header, headerValue, headerValues, toBytesText } from "../sip/edge/sip-message.js";
import { parseSipUri } from "../sip/edge/sip-uri.js";
import type { CallEnd, PhoneDialog, PhoneLine } from "./phone-line.js";

/** A call that rings here. Every method is harmless once the call is over. */
export interface IncomingCall {
  readonly callId: string;
  /** User part of the request URI, e.g. `+18005550100`. */
  readonly calledUser: string;
  /** User part of From; empty when the caller gave none. */
  readonly fromUser: string;
  /** First value of a header of the INVITE, null when there is none. */
  headers(name: string): string | null;
  /** 180 by default; 183 carries SDP. */
  ring(status?: number): void;
  answer(): void;
  reject(status: number, reason?: string): void;
  /** BYE when answered, 486 before. */
  hangUp(): Promise<void>;
  /** Called once, at once when the call is over already. */
  onEnd(listener: (by: CallEnd) => void): void;
}

/** `cancel` is for the phone, when the caller has given up and was answered 487. */
export function takeCall(line: PhoneLine, invite: Incoming): { readonly call: IncomingCall; cancel(): void } {
  const { request } = invite;
  const listeners: ((by: CallEnd) => void)[] = [];
  let end: CallEnd | null = null;
  let isAnswered = false;
  const finish = (by: CallEnd): void => {
    if (end !== null) return;
    end = by;
    for (const listener of listeners.splice(0)) listener(by);
  };
  const dialog: PhoneDialog = {
    facts: uasDialogFacts(request, invite.entry.localTag, firstSeq(line.stack.random)),
    flow: invite.flow,
    answer: null,
    whenAcked: [],
    onEnd: finish,
  };
  const say = (status: number, reason: string): void => {
    const withSdp = status === 183;
    const headers = [
      header("Contact", ownContact(invite.flow)),
      // RFC 3261 §12.1.1: the proxies on the way stay in the call.
      ...headerValues(invite.request.message.headers, "record-route").map((value) => header("Record-Route", value)),
      ...(withSdp ? [header("Content-Type", "application/sdp")] : []),
    ];
    respond(line.stack, invite, { status, reason: toBytesText(reason), headers, body: withSdp ? line.sdp() : "" });
  };
  const reject = (status: number, reason: string): void => {
    if (end !== null || isAnswered) return;
    say(status, reason);
    finish("local");
  };
  const call: IncomingCall = {
    callId: request.callId,
    calledUser: userOf(request.message.uri),
    fromUser: userOf(request.from.uri),
    headers: (name) => {
      const value = headerValue(request.message.headers, name.toLowerCase());
      return value === null ? null : fromBytesText(value);
    },
    ring: (status = 180) => {
      if (end === null && !isAnswered) say(status, status === 180 ? "Ringing" : "Session Progress");
    },
    answer: () => {
      if (end !== null || isAnswered) return;
      isAnswered = true;
      line.addDialog(dialog);
      line.answer(invite, dialog);
    },
    reject: (status, reason = "Rejected") => reject(status, reason),
    hangUp: async () => {
      if (isAnswered) await line.hangUp(dialog);
      else reject(486, "Busy Here");
    },
    onEnd: (listener) => {
      if (end === null) listeners.push(listener);
      else listener(end);
    },
  };
  return { call, cancel: () => finish("canceled") };
}

function userOf(uri: string): string {
  const user = parseSipUri(uri)?.user ?? "";
  return fromBytesText(user.split(";")[0] ?? "");
}
