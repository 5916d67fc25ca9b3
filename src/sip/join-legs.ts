/**
 * Two answered legs become one call: who hangs up ends the other leg too, media changes and INFO pass through, transfers are refused (a REFER could send
 * the caller anywhere). Resolves when the call is over; nothing leaves a leg behind. Requests of the caller have been held back until here.
 */
import { messageOf } from "../kernel/errors.js";
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

export async function joinLegs(input: {
  readonly caller: Dialog;
  readonly answer: LegAnswer;
  readonly ending: AbortSignal;
  /** The call is over; taking its legs down may last two seconds more, when one of them says nothing to its BYE. */
  readonly onOver?: (release: Release) => void;
}): Promise<void> {
  const { caller, answer, ending, onOver } = input;
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
    const joining = businessLeg({ caller, answer, over });
    passThrough(
      caller,
      joining.then((joined) => (joined.kind === "up" ? joined.dialog : null)),
    );
    caller.queueRequests = false;
    const joined = await joining;
    if (joined.kind === "over") return onOver?.(joined.release);
    const { dialog } = joined;
    business = dialog;
    const businessOver = new Promise<Release>((resolve) => {
      dialog.once("destroy", (bye: SipMessage | undefined) => resolve(releaseOf("callee", bye)));
      if (!dialog.connected) resolve({ releasedBy: "callee", cause: "normal_clearing" });
    });
    passThrough(dialog, Promise.resolve(caller));
    // Awaited for itself: an optional call's arguments are not even looked at where nobody listens.
    const release = await Promise.race([over, businessOver, tooLong]);
    onOver?.(release);
  } finally {
    clearTimeout(timer);
    await Promise.all([caller.connected ? hangUp(caller) : undefined, hangUpBusiness(business, answer)]);
  }
}

/** In whatever shape it is by then: a leg that was never acknowledged is up at the business all the same. */
async function hangUpBusiness(business: Dialog | null, answer: LegAnswer): Promise<void> {
  if (business === null) return hangUp(answer.kind === "dialog" ? answer.dialog : answer.leg);
  if (business.connected) await hangUp(business);
}

type Joined =
  | { readonly kind: "up"; readonly dialog: Dialog }
  /** The call ended before the business's leg was a dialog. */
  | { readonly kind: "over"; readonly release: Release };

/** The business's dialog; for an INVITE without offer it exists only once the caller's ACK brought the answer. Never rejects. */
async function businessLeg(input: { caller: Dialog; answer: LegAnswer; over: Promise<Release> }): Promise<Joined> {
  const { caller, answer, over } = input;
  const acknowledged = new Promise<SipMessage>((resolve) => caller.once("ack", resolve));
  if (answer.kind === "dialog") {
    void acknowledged.then(() => {
      answer.dialog.queueRequests = false;
    });
    return { kind: "up", dialog: answer.dialog };
  }
  const first = await Promise.race([acknowledged, over]);
  if ("releasedBy" in first) return { kind: "over", release: first };
  // RFC 3261 §13.2.1: an ACK without the answer to our offer leaves nothing to talk by. Our own BYE makes no `destroy`, so nobody else tells of this end.
  if (!first.body) return { kind: "over", release: { releasedBy: "system", cause: "no_answer_to_offer" } };
  try {
    return { kind: "up", dialog: await answer.leg.ack(first.body) };
  } catch (error) {
    return { kind: "over", release: { releasedBy: "system", cause: `transport: ${messageOf(error).slice(0, 200)}` } };
  }
}

export function releaseOf(by: "caller" | "callee", bye: SipMessage | undefined): Release {
  const reason = bye?.has("Reason") === true ? (bye.get("Reason") ?? "") : "";
  // The edge's own BYE (no ACK within 64*T1, session expired) carries the reason of a machine, not of a person.
  if (/^SIP\s*;/i.test(reason)) return { releasedBy: "system", cause: /text="([^"]*)"/.exec(reason)?.[1] ?? "system" };
  const cause = /Q\.850\s*;\s*cause\s*=\s*(\d+)/i.exec(reason)?.[1];
  return { releasedBy: by, cause: cause === undefined || cause === "16" ? "normal_clearing" : `q850_${cause}` };
}
