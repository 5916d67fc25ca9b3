/** Requests inside a dialog (RFC 3261 §12.2.2, §14.2, §15.1.2): ACK, BYE, re-INVITE and everything else, which is the app's. */
import { requestText, tellDialogRequest } from "./app-notices.js";
import type { Dialog, Incoming } from "./call-state.js";
import { cdrStop } from "./cdr.js";
import { endDialog, holdPeer, runWhenAcked } from "./dialog-life.js";
import type { EdgeContext } from "./edge-context.js";
import { handToOwner } from "./hand-to-owner.js";
import { giveUpInvite } from "./inbound-cancel.js";
import { unsupportedExtensions } from "./inbound-new.js";
import { onSubscriptionRequest } from "./inbound-subscription.js";
import { openIncoming, refuse, respond } from "./incoming.js";
import { MAX_RINGING_MS, RETRY_AFTER_S } from "./limits.js";
import type { CheckedRequest } from "./message-check.js";
import { reasonPhrase } from "./reason-phrases.js";
import { latestFlow } from "./reach.js";
import { parseRack } from "./reliable-provisional.js";
import { sessionTooShort } from "./session-expires.js";
import { header, headerValue } from "./sip-message.js";
import type { Flow } from "./transport.js";
import { stampVia } from "./via.js";

/** The ACK of a 2xx: shown to the app once, under the INVITE's TXN. Later copies answer repeated 2xxs and are dropped. */
export function onAck(ctx: EdgeContext, request: CheckedRequest, flow: Flow): void {
  const { callId, fromTag, toTag, cseq } = request;
  const dialog = toTag === null ? null : ctx.dialogs.match(callId, fromTag ?? "", toTag);
  const answer = dialog?.awaitingAck.get(cseq.number);
  if (dialog === null || answer === undefined) return ctx.counters.add("dropped_stray_ack");
  answer.stop();
  dialog.awaitingAck.delete(cseq.number);
  hearPeer(ctx, dialog, flow);
  const via = stampVia(request.via, flow.peer);
  tellDialogRequest(ctx, dialog.app, { request, via, flow, txn: answer.txn, dialogId: dialog.id });
  if (dialog.awaitingAck.size === 0) runWhenAcked(dialog);
}

export function onDialogRequest(ctx: EdgeContext, dialog: Dialog, request: CheckedRequest, flow: Flow): void {
  const incoming = openIncoming(ctx, request, flow, dialog);
  // §12.2.2: older than what was seen is out of order.
  if (dialog.remoteSeq !== null && request.cseq.number < dialog.remoteSeq) return refuse(ctx, incoming, 500);
  dialog.remoteSeq = request.cseq.number;
  hearPeer(ctx, dialog, flow);
  const unsupported = unsupportedExtensions(request);
  if (unsupported !== "") return refuse(ctx, incoming, 420, [header("Unsupported", unsupported)]);
  if (dialog.subscriptions !== null) return onSubscriptionRequest(ctx, dialog, incoming);
  switch (request.message.method) {
    case "BYE":
      return onBye(ctx, dialog, incoming);
    case "PRACK":
      return onPrack(ctx, dialog, incoming);
    case "UPDATE":
      return onUpdate(ctx, dialog, incoming);
    case "INVITE":
      return onReinvite(ctx, dialog, incoming);
    default:
      return handToOwner(ctx, dialog, incoming);
  }
}

/** A peer that lost its connection is to be reached over the one it has made since: it rarely listens where its Contact says. */
function hearPeer(ctx: EdgeContext, dialog: Dialog, flow: Flow): void {
  const latest = latestFlow(dialog.flow, flow);
  if (latest === dialog.flow) return;
  dialog.flow = latest;
  holdPeer(ctx, dialog, latest.peer.address);
}

function onBye(ctx: EdgeContext, dialog: Dialog, bye: Incoming): void {
  if (dialog.state === "early") return onEarlyBye(ctx, dialog, bye);
  // The call is over whatever the app says; a re-INVITE that waits gets 487 (§15.1.2).
  cdrStop(ctx, "network", "normal-release", () => requestText(bye.request, bye.via));
  const reinvite = dialog.theirInvite;
  endDialog(ctx, dialog);
  if (reinvite !== null) giveUpInvite(ctx, reinvite, 487);
  handToOwner(ctx, dialog, bye);
}

/** To the app, which answers it (it may carry an offer); then what waited for it goes out (RFC 3262 §3). */
function onPrack(ctx: EdgeContext, dialog: Dialog, prack: Incoming): void {
  const rack = parseRack(headerValue(prack.request.message.headers, "rack"));
  if (rack === null) return refuse(ctx, prack, 400);
  const { reliable } = dialog;
  if (reliable?.acknowledge(rack.seq, rack.inviteSeq) !== true) return refuse(ctx, prack, 481);
  handToOwner(ctx, dialog, prack);
  reliable.resume();
}

/** RFC 3311 §5.2: one at a time, and no offer while one of either side is unanswered. Before the answer as well as after it. */
function onUpdate(ctx: EdgeContext, dialog: Dialog, update: Incoming): void {
  const hasOffer = update.request.message.body !== "";
  if (hasOffer && (dialog.ourInvite !== null || dialog.ourUpdate)) return refuse(ctx, update, 491);
  if (dialog.theirUpdate !== null || (hasOffer && dialog.theirInvite !== null)) {
    return refuse(ctx, update, 500, [header("Retry-After", String(RETRY_AFTER_S))]);
  }
  const minimum = sessionTooShort(update.request);
  if (minimum !== null) return refuse(ctx, update, 422, [minimum]);
  dialog.theirUpdate = update;
  handToOwner(ctx, dialog, update);
}

/** A caller may hang up a ringing call by BYE instead of CANCEL (§15); for the app it is the same. */
function onEarlyBye(ctx: EdgeContext, dialog: Dialog, bye: Incoming): void {
  const invite = ctx.transactions.invites.get(dialog.id);
  if (dialog.role === "uac" || invite === undefined) return refuse(ctx, bye, 481);
  refuse(ctx, bye, 200);
  giveUpInvite(ctx, invite, 487);
}

function onReinvite(ctx: EdgeContext, dialog: Dialog, incoming: Incoming): void {
  if (dialog.ourInvite !== null || dialog.ourUpdate) return refuse(ctx, incoming, 491);
  if (dialog.state === "early" || dialog.theirInvite !== null || dialog.theirUpdate !== null) {
    return refuse(ctx, incoming, 500, [header("Retry-After", String(RETRY_AFTER_S))]);
  }
  const minimum = sessionTooShort(incoming.request);
  if (minimum !== null) return refuse(ctx, incoming, 422, [minimum]);
  dialog.theirInvite = incoming;
  respond(ctx, incoming, { status: 100, reason: reasonPhrase(100) });
  incoming.timers.set(
    "ringing",
    ctx.scheduler.after(MAX_RINGING_MS, () => refuse(ctx, incoming, 504)),
  );
  handToOwner(ctx, dialog, incoming);
}
