/**
 * One request on its way through the edge as a proxy, to one target (RFC 3261 §16.6): a client transaction of its own, timer C for an INVITE, CANCEL.
 * proxy-invite.ts (forks) and relay-dialog.ts (requests in a call) start it; it knows nothing of apps.
 */
import type { Incoming } from "./call-state.js";
import type { EdgeContext } from "./edge-context.js";
import type { CheckedResponse } from "./message-check.js";
import { type Started, startMachine, startRequest } from "./outgoing.js";
import { type Header, header, headerValue, type SipRequest } from "./sip-message.js";
import { writeHopByHop } from "./sip-writer.js";
import { type Timer, transactionTimeoutMs } from "./timers.js";
import type { Flow } from "./transport.js";
import { formatVia } from "./via.js";

export interface RelayHandlers {
  /** Every response but 100; for an INVITE every 2xx, also a repeated one. */
  onResponse(response: CheckedResponse): void;
  /** Once, and only without a final answer: none came (408), the transport failed (503), or a CANCEL was not answered (487). */
  onFailed(status: 408 | 487 | 503): void;
}

export interface Relay {
  readonly started: Started;
  readonly flow: Flow;
  /** Idempotent; held until the first 1xx (§9.1). Nothing happens after the final answer. */
  cancel(): void;
  /** Timer C ended it: the final answer that comes is not the phone's own. */
  hasTimedOut(): boolean;
}

/** @param request complete but for our Via, with the Vias it came with. Null when the edge has as many transactions as it may. */
export function startRelay(ctx: EdgeContext, request: SipRequest, flow: Flow, handlers: RelayHandlers): Relay | null {
  const isInvite = request.method === "INVITE";
  let isOver = false;
  let cancel: "no" | "held" | "sent" = "no";
  let timerC: Timer | null = null;
  let timedOut = false;
  const finish = (): void => {
    isOver = true;
    timerC?.cancel();
  };
  const fail = (status: 408 | 487 | 503): void => {
    if (isOver) return;
    finish();
    handlers.onFailed(status);
  };
  const started = startRequest(ctx, request, flow, {
    onResponse(response) {
      const { status } = response.message;
      if (status >= 200) {
        // §9.1: an answer that crossed our giving up; only a 2xx still means something to somebody.
        if (isOver && status >= 300) return;
        finish();
        return handlers.onResponse(response);
      }
      if (cancel === "held") sendCancel();
      if (status === 100 || isOver) return;
      // §16.7 step 2: any 1xx but 100 begins timer C anew.
      if (isInvite && cancel === "no") startTimerC();
      handlers.onResponse(response);
    },
    onFailed: fail,
  });
  if (started === null) return null;

  const sendCancel = (): void => {
    cancel = "sent";
    const text = writeHopByHop(started.request, "CANCEL", headerValue(started.request.headers, "to") ?? "");
    const what = { request: { ...started.request, method: "CANCEL" }, text, branch: started.branch, flow };
    startMachine(ctx, what, { onResponse: () => undefined, onFailed: () => undefined });
    ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => {
      fail(487);
      // As long again for a 2xx that comes after all; then nobody waits on an INVITE that was never answered.
      ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => {
        if (started.machine.state === "proceeding") started.machine.terminate();
      });
    });
  };
  const relay: Relay = {
    started,
    flow,
    hasTimedOut: () => timedOut,
    cancel() {
      if (isOver || cancel !== "no") return;
      timerC?.cancel();
      if (started.machine.state === "proceeding") sendCancel();
      else cancel = "held";
    },
  };
  // §16.8: a phone that rang is cancelled, and the caller hears 408 once it has said 487.
  const startTimerC = (): void => {
    timerC?.cancel();
    timerC = ctx.scheduler.after(ctx.timers.timerCMs, () => {
      timedOut = true;
      relay.cancel();
    });
  };
  if (isInvite) startTimerC();
  return relay;
}

/** The headers of a request that goes on: the Vias it came with (the top one with where it really came from), one hop less. */
export function relayedHeaders(
  incoming: Pick<Incoming, "request" | "via">,
  placed: readonly Header[],
  dropped: ReadonlySet<string>,
): Header[] {
  const { request, via } = incoming;
  return [
    header("Via", formatVia(via)),
    ...request.viasBelow.map((below) => header("Via", below)),
    header("Max-Forwards", String(request.maxForwards - 1)),
    ...placed,
    ...request.message.headers.filter(
      (one) => one.key !== "via" && one.key !== "max-forwards" && !dropped.has(one.key),
    ),
  ];
}
