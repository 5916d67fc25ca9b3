/** CANCEL of an INVITE of ours (RFC 3261 §9.1): held until a 1xx has come, dropped when a final answer is first, given up after 64*T1. */
import { appHeaders, DIALOG_FIELDS } from "./app-headers.js";
import type { AppLink } from "./app-link.js";
import { tellFailed, tellMessage, tellRequestSent } from "./app-notices.js";
import type { SipCommand } from "./app-protocol.js";
import type { Outgoing } from "./call-state.js";
import { endDialog } from "./dialog-life.js";
import type { EdgeContext } from "./edge-context.js";
import { failureResponse } from "./failure-response.js";
import { startMachine } from "./outgoing.js";
import { type Header, headerValue, type SipRequest } from "./sip-message.js";
import { writeHopByHop } from "./sip-writer.js";
import { transactionTimeoutMs } from "./timers.js";

/** `sip|TXN|` + CANCEL: srf `req.cancel()`. Its own answer is not shown to the app, as in drachtio-server. */
export function cancelByApp(ctx: EdgeContext, app: AppLink, command: SipCommand, message: SipRequest): void {
  const { msgId, txn } = command;
  const outgoing = ctx.transactions.outgoing.get(txn);
  if (outgoing === undefined || outgoing.app !== app || outgoing.cancel !== "no") {
    return tellFailed(ctx, app, msgId, `unable to cancel unknown transaction id: ${txn}`);
  }
  const headers = appHeaders(message, DIALOG_FIELDS, outgoing.flow);
  cancelOutgoing(ctx, outgoing, headers, {
    onSent: (text) => tellRequestSent(ctx, app, { msgId, flow: outgoing.flow, text, txn: ctx.random.uuid() }),
    onMoot: () => tellFailed(ctx, app, msgId, `unable to cancel unknown transaction id: ${txn}`),
  });
}

export interface CancelWatch {
  onSent(text: string): void;
  /** The final answer came first; there is nothing to cancel. */
  onMoot(): void;
}

const NOBODY: CancelWatch = { onSent: () => undefined, onMoot: () => undefined };

export function cancelOutgoing(
  ctx: EdgeContext,
  outgoing: Outgoing,
  headers: readonly Header[] = [],
  watch: CancelWatch = NOBODY,
): void {
  if (outgoing.cancel !== "no") return;
  if (outgoing.machine.state === "proceeding") return sendCancel(ctx, outgoing, headers, watch);
  outgoing.cancel = "held";
  outgoing.heldCancel = {
    send: () => sendCancel(ctx, outgoing, headers, watch),
    drop: () => watch.onMoot(),
  };
}

function sendCancel(ctx: EdgeContext, outgoing: Outgoing, headers: readonly Header[], watch: CancelWatch): void {
  outgoing.cancel = "sent";
  outgoing.heldCancel = null;
  const { request, branch, flow } = outgoing;
  const text = writeHopByHop(request, "CANCEL", headerValue(request.headers, "to") ?? "", headers);
  const silent = { onResponse: () => undefined, onFailed: () => undefined };
  startMachine(ctx, { request: { ...request, method: "CANCEL" }, text, branch, flow }, silent);
  watch.onSent(text);
  ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => giveUp(ctx, outgoing));
}

/**
 * No final answer 64*T1 after the CANCEL: cancelled (§9.1). The transaction stays as long again, so that a 200 that does come is acknowledged
 * and hung up.
 */
function giveUp(ctx: EdgeContext, outgoing: Outgoing): void {
  if (!ctx.transactions.outgoing.has(outgoing.txn)) return;
  if (!outgoing.isAbandoned) {
    outgoing.isAbandoned = true;
    const { app, flow, txn, dialogId } = outgoing;
    tellMessage(ctx, app, { message: failureResponse(outgoing.request, 487), flow, txn, dialogId });
  }
  ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => dropUnanswered(ctx, outgoing));
}

function dropUnanswered(ctx: EdgeContext, outgoing: Outgoing): void {
  if (!ctx.transactions.outgoing.delete(outgoing.txn)) return;
  outgoing.ringing?.cancel();
  outgoing.machine.terminate();
  const dialog = ctx.dialogs.byId.get(outgoing.dialogId);
  if (dialog?.ourInvite === outgoing) dialog.ourInvite = null;
  if (dialog?.role === "uac" && dialog.state === "early") endDialog(ctx, dialog);
}
