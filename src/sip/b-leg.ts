/**
 * One attempt to reach a business: INVITE out, provisional answers passed on, and an outcome in every case: answered, failed, or canceled. Guards the
 * known traps of drachtio-srf: a CANCEL that comes while the INVITE is being sent, a 200 that crosses our CANCEL, a promise that never settles.
 */
import { messageOf } from "../kernel/errors.js";
import type { Dialog, SipRequest, SipResponse, Srf, UnacknowledgedLeg } from "./drachtio-types.js";
import { type FailedAttempt, failedBy, RING_TIMEOUT } from "./failed-attempt.js";

export type LegAnswer =
  | { readonly kind: "dialog"; readonly dialog: Dialog; readonly sdp: string }
  | { readonly kind: "unacknowledged"; readonly leg: UnacknowledgedLeg; readonly sdp: string };

export type LegOutcome =
  | { readonly kind: "answered"; readonly answer: LegAnswer }
  | ({ readonly kind: "failed" } & FailedAttempt)
  | { readonly kind: "canceled" };

/**
 * After our CANCEL a far side that rings has this long to say 487; then the attempt is over for us, and whatever it still answers is told good-bye. One that
 * never said anything is not waited for: the next target, or the record of a caller who gave up, would wait for a machine that is not there.
 */
const CANCEL_SETTLES_MS_MAX = 500;

/** A BYE that nobody answers is retransmitted by the edge for 32 s; nothing here waits for that. */
const HANG_UP_MS_MAX = 2_000;

export interface LegRequest {
  readonly uri: string;
  readonly headers: Record<string, string>;
  /** The caller's offer; null for an INVITE without one. */
  readonly offer: string | null;
  readonly ringTimeoutMs: number;
  /** The caller gave up, or the call must end for another reason. */
  readonly signal: AbortSignal;
  readonly onProvisional: (response: SipResponse) => void;
}

export async function callBusiness(srf: Srf, request: LegRequest): Promise<LegOutcome> {
  const { uri, headers, offer, ringTimeoutMs, signal } = request;
  if (signal.aborted) return { kind: "canceled" };
  const cancel = new Canceler();
  let timedOut = false;
  let isHeard = false;
  // Some businesses answer the offer in 183 and send an empty 200.
  let earlySdp = "";
  let giveUp: (outcome: LegOutcome) => void = () => undefined;
  const abandoned = new Promise<LegOutcome>((resolve) => {
    giveUp = resolve;
  });
  let settleTimer: NodeJS.Timeout | undefined;
  const stop = (outcome: LegOutcome): void => {
    cancel.cancel();
    if (isHeard) settleTimer ??= setTimeout(() => giveUp(outcome), CANCEL_SETTLES_MS_MAX);
    else giveUp(outcome);
  };
  const onAbort = (): void => stop({ kind: "canceled" });
  signal.addEventListener("abort", onAbort, { once: true });
  const ringTimer = setTimeout(() => {
    timedOut = true;
    stop({ kind: "failed", ...RING_TIMEOUT });
  }, ringTimeoutMs);

  const dialing = srf.createUAC(uri, offer === null ? { headers, noAck: true } : { headers, localSdp: offer }, {
    cbRequest: (_error, sent) => {
      if (sent !== undefined) cancel.sent(sent);
    },
    cbProvisional: (response) => {
      isHeard = true;
      if (response.body) earlySdp = response.body;
      if (!signal.aborted && !timedOut) request.onProvisional(response);
    },
  });
  try {
    return await Promise.race([
      settle(dialing, { wasTimedOut: () => timedOut, earlySdp: () => earlySdp, signal }),
      abandoned,
    ]);
  } finally {
    clearTimeout(ringTimer);
    clearTimeout(settleTimer);
    signal.removeEventListener("abort", onAbort);
    // Whoever answers after we gave up is told good-bye.
    dialing.then(
      (late) => (cancel.isCanceled ? hangUp(late) : undefined),
      () => undefined,
    );
  }
}

/** Ends a B leg in whatever shape it is. Never rejects and never hangs: it is on its way out, and the link may be gone. */
export async function hangUp(leg: Dialog | UnacknowledgedLeg): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, HANG_UP_MS_MAX);
  });
  try {
    await Promise.race([leg.destroy(), limit]);
  } catch (error) {
    // The far side or the link is gone, and so is the leg.
    void error;
  } finally {
    clearTimeout(timer);
  }
}

async function settle(
  dialing: Promise<Dialog | UnacknowledgedLeg>,
  state: { wasTimedOut: () => boolean; earlySdp: () => string; signal: AbortSignal },
): Promise<LegOutcome> {
  try {
    const leg = await dialing;
    if (state.signal.aborted) return { kind: "canceled" };
    // An answer that crossed our ring timeout has been cancelled already; the hunt goes on without it.
    if (state.wasTimedOut()) return { kind: "failed", ...RING_TIMEOUT };
    return { kind: "answered", answer: answerOf(leg, state.earlySdp()) };
  } catch (error) {
    if (state.signal.aborted) return { kind: "canceled" };
    if (state.wasTimedOut()) return { kind: "failed", ...RING_TIMEOUT };
    const { status, res } = error as { status?: unknown; res?: SipResponse };
    if (typeof status === "number") {
      if (res !== undefined) return { kind: "failed", ...failedBy(res, status) };
      return { kind: "failed", failure: { kind: "status", status }, cause: `sip_${status}` };
    }
    return { kind: "failed", failure: { kind: "transport" }, cause: `transport: ${messageOf(error).slice(0, 200)}` };
  }
}

function answerOf(leg: Dialog | UnacknowledgedLeg, earlySdp: string): LegAnswer {
  // Not by `ack`: every dialog has a method of that name, as of every SIP method.
  if ("remote" in leg) return { kind: "dialog", dialog: leg, sdp: leg.remote.sdp || earlySdp };
  return { kind: "unacknowledged", leg, sdp: leg.sdp };
}

/** CANCEL may be wanted before the INVITE has a transaction to cancel: then it follows at once when it has. */
class Canceler {
  private request: SipRequest | null = null;
  isCanceled = false;

  sent(request: SipRequest): void {
    this.request = request;
    if (this.isCanceled) request.cancel(() => undefined);
  }

  cancel(): void {
    if (this.isCanceled) return;
    this.isCanceled = true;
    this.request?.cancel(() => undefined);
  }
}
