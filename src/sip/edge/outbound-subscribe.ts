/** A SUBSCRIBE or REFER of an app outside any dialog: its 2xx begins the subscription's dialog, and NOTIFYs that were quicker follow it. */
import type { AppLink } from "./app-link.js";
import { uacDialogFacts } from "./dialog.js";
import type { EdgeContext } from "./edge-context.js";
import { eventBegun, grantedSeconds } from "./event-header.js";
import { onDialogRequest } from "./inbound-dialog.js";
import { openIncoming, refuse } from "./incoming.js";
import { NOTIFY_AFTER_ANSWER_MS } from "./limits.js";
import type { CheckedResponse } from "./message-check.js";
import type { SipRequest } from "./sip-message.js";
import { beginSubscription, endSubscriptions } from "./subscription.js";
import type { Flow } from "./transport.js";

export interface Subscribing {
  /** Call before the app is told of the response. */
  onResponse(response: CheckedResponse): void;
  /** Call once the app has been told of the final response: what waited for it is soon handed on, or refused. */
  settle(): void;
}

/** @param id how frames will name the dialog */
export function watchSubscribe(
  ctx: EdgeContext,
  app: AppLink,
  id: string,
  request: SipRequest,
  flow: Flow,
): Subscribing {
  ctx.transactions.subscribing.set(id, []);
  return {
    onResponse(response) {
      const { status } = response.message;
      const event = eventBegun(request, response.message.headers);
      // Answers without a tag or an event make no dialog (§4.1.2.1: the answer MUST have both).
      if (status < 200 || status >= 300 || response.toTag === null || event === null) return;
      const seconds = grantedSeconds(request, response.message.headers);
      const facts = uacDialogFacts(response, request.uri);
      const dialog = beginSubscription(ctx, { id, role: "uac", facts, app, flow, event, seconds });
      if (dialog !== null && !app.isOpen) endSubscriptions(ctx, dialog, { why: "application gone", tellApp: false });
    },
    settle: () => void ctx.scheduler.after(NOTIFY_AFTER_ANSWER_MS, () => handOn(ctx, id)),
  };
}

function handOn(ctx: EdgeContext, id: string): void {
  const held = ctx.transactions.subscribing.get(id) ?? [];
  ctx.transactions.subscribing.delete(id);
  for (const { request, flow } of held) {
    const dialog = ctx.dialogs.match(request.callId, request.fromTag ?? "", request.toTag ?? "");
    if (dialog !== null) onDialogRequest(ctx, dialog, request, flow);
    // Another branch of a fork, or a refused SUBSCRIBE (§4.4.1).
    else refuse(ctx, openIncoming(ctx, request, flow), 481);
  }
}
