/**
 * An app's connection is gone: everybody who waits for it is told. drachtio-server leaves such calls up without an owner (a BYE gets 481, the other
 * side never hears of it); here both sides of every call are hung up and every pending request is answered, so no line stays open.
 */
import type { AppLink } from "./app-link.js";
import type { EdgeContext } from "./edge-context.js";
import { hangUp } from "./hang-up.js";
import { refuse } from "./incoming.js";
import { RETRY_AFTER_S } from "./limits.js";
import { cancelOutgoing } from "./outbound-cancel.js";
import { header } from "./sip-message.js";

/** @param app null ends what every app has (the edge stops) */
export function endCallsOf(ctx: EdgeContext, app: AppLink | null, why: string): void {
  const { transactions, dialogs } = ctx;
  for (const incoming of transactions.incoming.values()) {
    if (app !== null && incoming.app !== app) continue;
    incoming.proxy?.cancel();
    if (incoming.request.message.method === "BYE") refuse(ctx, incoming, 200);
    else refuse(ctx, incoming, 503, [header("Retry-After", String(RETRY_AFTER_S))]);
  }
  for (const outgoing of transactions.outgoing.values()) {
    if (app !== null && outgoing.app !== app) continue;
    outgoing.isAbandoned = true;
    cancelOutgoing(ctx, outgoing);
  }
  for (const dialog of dialogs.byId.values()) {
    if ((app === null || dialog.app === app) && dialog.state === "confirmed")
      hangUp(ctx, dialog, { why, tellApp: app === null });
  }
}
