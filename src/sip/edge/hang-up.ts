/** BYEs that the edge sends by itself: no ACK came, the app is gone, a call was cancelled and answered at once, the edge stops. */
import { tellUnsolicited } from "./app-notices.js";
import type { Dialog, SentInvite } from "./call-state.js";
import { cdrStop } from "./cdr.js";
import { dialogRequest } from "./dialog.js";
import { endDialog } from "./dialog-life.js";
import type { EdgeContext } from "./edge-context.js";
import { sendText, sendWithVia, startRequest } from "./outgoing.js";
import { reachDialog } from "./reach.js";
import { header } from "./sip-message.js";
import { endSubscriptions } from "./subscription.js";
import { writeMessage } from "./sip-writer.js";
import type { Flow } from "./transport.js";

export interface HangUp {
  /** Text of the Reason header; srf gives it to the app as the reason of `destroy`. */
  readonly why: string;
  readonly tellApp: boolean;
}

/**
 * Ends a confirmed dialog with a BYE. What the peer has not acknowledged yet is waited for first (RFC 3261 §15), what we have not is
 * acknowledged first. A subscription is ended in its own way. Nothing happens to a dialog that is over.
 */
export function hangUp(ctx: EdgeContext, dialog: Dialog, how: HangUp): void {
  if (dialog.state === "ended") return;
  if (dialog.subscriptions !== null) return endSubscriptions(ctx, dialog, how);
  if (dialog.awaitingAck.size > 0) {
    dialog.whenAcked.push(() => hangUp(ctx, dialog, how));
    return;
  }
  const unacked = [...dialog.toAck];
  const bye = dialogRequest(dialog, {
    method: "BYE",
    seq: ++dialog.localSeq,
    headers: [header("Reason", `SIP;cause=200;text="${how.why}"`)],
  });
  ctx.counters.add("dialogs_ended_by_edge");
  cdrStop(ctx, "application", "system-initiated-termination", () => writeMessage(bye));
  reachDialog(ctx, dialog, (reached) => {
    const flow = reached.kind === "flow" ? reached.flow : dialog.flow;
    for (const sent of unacked) acknowledge(ctx, dialog, sent, flow);
    const started = startRequest(ctx, bye, flow, { onResponse: () => undefined, onFailed: () => undefined });
    if (how.tellApp && started !== null) tellUnsolicited(ctx, dialog, flow, started.text);
  });
  endDialog(ctx, dialog);
}

/** The ACK of a 2xx that the app did not send, without a body. Remembered, so that a repeated 2xx gets it again. */
export function acknowledge(ctx: EdgeContext, dialog: Dialog, sent: SentInvite, flow: Flow): void {
  if (sent.ack !== null) return sendText(sent.ack.flow, sent.ack.text);
  const ack = dialogRequest(dialog, { method: "ACK", seq: sent.cseq, headers: sent.credentials });
  sent.ack = { text: sendWithVia(ctx, ack, flow), flow };
}
