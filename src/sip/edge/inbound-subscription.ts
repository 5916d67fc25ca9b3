/**
 * Requests inside a dialog that a SUBSCRIBE or REFER began (RFC 6665 §4.1.3, §4.2.1): they are the app's, as far as they belong to a
 * subscription of the dialog. Also NOTIFYs that overtake the answer to their SUBSCRIBE.
 */
import type { Dialog, Incoming } from "./call-state.js";
import { refreshTarget } from "./dialog.js";
import { dialogId } from "./dialog-table.js";
import type { EdgeContext } from "./edge-context.js";
import { eventName } from "./event-header.js";
import { handToOwner } from "./hand-to-owner.js";
import { refuse } from "./incoming.js";
import { MAX_HELD_NOTIFIES } from "./limits.js";
import type { CheckedRequest } from "./message-check.js";
import { onNotified } from "./subscription.js";
import { serverKey } from "./transaction-table.js";
import type { Flow } from "./transport.js";

export function onSubscriptionRequest(ctx: EdgeContext, dialog: Dialog, incoming: Incoming): void {
  switch (incoming.request.message.method) {
    case "NOTIFY":
      return onNotify(ctx, dialog, incoming);
    case "INVITE":
      // RFC 6665 §4.5.2: a call in a subscription's dialog is of the past, and srf has no place for one.
      return refuse(ctx, incoming, 488);
    case "BYE":
    case "PRACK":
    case "UPDATE":
      // There is no call (RFC 3261 §15.1.2).
      return refuse(ctx, incoming, 481);
    default:
      return handToOwner(ctx, dialog, incoming);
  }
}

function onNotify(ctx: EdgeContext, dialog: Dialog, notify: Incoming): void {
  const { message } = notify.request;
  const event = eventName(message.headers);
  if (event === null) return refuse(ctx, notify, 489);
  if (dialog.subscriptions?.has(event.key) !== true) return refuse(ctx, notify, 481);
  refreshTarget(dialog, message);
  onNotified(ctx, dialog, message.headers);
  handToOwner(ctx, dialog, notify);
}

/**
 * The first NOTIFY may come before the 2xx to its SUBSCRIBE (§4.1.2.4). srf knows no dialog before that answer, so it waits for it here.
 * @returns false when nobody has asked for it
 */
export function holdNotify(ctx: EdgeContext, request: CheckedRequest, flow: Flow): boolean {
  const held = ctx.transactions.subscribing.get(dialogId(request.callId, request.toTag ?? ""));
  if (held === undefined) return false;
  const key = serverKey(request, "NOTIFY");
  const isKnown = held.some((one) => serverKey(one.request, "NOTIFY") === key);
  // More than that are repeated by their sender.
  if (!isKnown && held.length < MAX_HELD_NOTIFIES) held.push({ request, flow });
  return true;
}
