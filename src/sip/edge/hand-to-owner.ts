/** A request inside a dialog goes to the app that has the dialog, watched like a new request. */
import { tellDialogRequest } from "./app-notices.js";
import type { Dialog, Incoming } from "./call-state.js";
import type { EdgeContext } from "./edge-context.js";
import { refuse } from "./incoming.js";

/** Without an app, or without its answer, a BYE is granted and anything else refused. */
export function handToOwner(ctx: EdgeContext, dialog: Dialog, incoming: Incoming): void {
  const { app } = dialog;
  const withoutApp = (): void => refuse(ctx, incoming, incoming.request.message.method === "BYE" ? 200 : 503);
  if (!app.isOpen) return withoutApp();
  incoming.app = app;
  const { request, via, flow, txn, dialogId } = incoming;
  tellDialogRequest(ctx, app, { request, via, flow, txn, dialogId });
  incoming.timers.set("silent", ctx.scheduler.after(ctx.timers.appSilentMs, withoutApp));
}
