/**
 * Two answered legs become one call: who hangs up ends the other leg too, media changes and INFO pass through, transfers are refused (a REFER could send
 * the caller anywhere). Resolves when the call is over; nothing leaves a leg behind. Requests of the caller have been held back until here.
 */
import type { ReleasedBy } from "../telephony/call-event.js";
import { hangUp, type LegAnswer } from "./b-leg.js";
import type { Dialog, SipMessage } from "./drachtio-types.js";
import { passThrough } from "./pass-through.js";

/** A call longer than this is a forgotten one (and a costly one): Invoca cuts at 3 h, carriers at 4 h. */
export const CALL_MS_MAX = 4 * 60 * 60 * 1000;

export interface Release {
  readonly releasedBy: ReleasedBy;
  readonly cause: string;
}

export async function joinLegs(input: { caller: Dialog; answer: LegAnswer; ending: AbortSignal }): Promise<Release> {
  const { caller, answer, ending } = input;
  const over = new Promise<Release>((resolve) => {
    caller.once("destroy", (bye: SipMessage | undefined) => resolve(releaseOf("caller", bye)));
    if (ending.aborted) resolve({ releasedBy: "system", cause: String(ending.reason) });
    ending.addEventListener("abort", () => resolve({ releasedBy: "system", cause: String(ending.reason) }), {
      once: true,
    });
    // drachtio-srf emits `destroy` before our await resumes when BYE follows ACK in one read (sip notes §3): ask, don't only listen.
    if (!caller.connected) resolve({ releasedBy: "caller", cause: "normal_clearing" });
  });
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<Release>((resolve) => {
    timer = setTimeout(() => resolve({ releasedBy: "system", cause: "max_call_duration" }), CALL_MS_MAX);
  });
  let business: Dialog | null = null;
  try {
    const dialing = businessLeg({ caller, answer, over });
    passThrough(caller, dialing);
    caller.queueRequests = false;
    business = await dialing;
    if (business === null) return await over;
    const hungUp = business;
    const businessOver = new Promise<Release>((resolve) => {
      hungUp.once("destroy", (bye: SipMessage | undefined) => resolve(releaseOf("callee", bye)));
      if (!hungUp.connected) resolve({ releasedBy: "callee", cause: "normal_clearing" });
    });
    passThrough(business, Promise.resolve(caller));
    return await Promise.race([over, businessOver, tooLong]);
  } finally {
    clearTimeout(timer);
    await Promise.all([
      caller.connected ? hangUp(caller) : undefined,
      business?.connected ? hangUp(business) : undefined,
    ]);
  }
}

/** The business's dialog; for an INVITE without offer it exists only once the caller's ACK brought the answer. Null when the caller left first. */
async function businessLeg(input: {
  caller: Dialog;
  answer: LegAnswer;
  over: Promise<Release>;
}): Promise<Dialog | null> {
  const { caller, answer, over } = input;
  const acknowledged = new Promise<SipMessage>((resolve) => caller.once("ack", resolve));
  if (answer.kind === "dialog") {
    void acknowledged.then(() => {
      answer.dialog.queueRequests = false;
    });
    return answer.dialog;
  }
  const ack = await Promise.race([acknowledged, over.then(() => null)]);
  if (ack === null || !ack.body) {
    await hangUp(answer.leg);
    if (ack !== null && caller.connected) await hangUp(caller);
    return null;
  }
  return answer.leg.ack(ack.body);
}

export function releaseOf(by: "caller" | "callee", bye: SipMessage | undefined): Release {
  const reason = bye?.has("Reason") === true ? (bye.get("Reason") ?? "") : "";
  // The edge's own BYE (no ACK within 64*T1, session expired) carries the reason of a machine, not of a person.
  if (/^SIP\s*;/i.test(reason)) return { releasedBy: "system", cause: /text="([^"]*)"/.exec(reason)?.[1] ?? "system" };
  const cause = /Q\.850\s*;\s*cause\s*=\s*(\d+)/i.exec(reason)?.[1];
  return { releasedBy: by, cause: cause === undefined || cause === "16" ? "normal_clearing" : `q850_${cause}` };
}
