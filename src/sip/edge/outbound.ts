/**
 * Every `sip` message of an app comes here and is sorted as drachtio-server does: response, request in a dialog, CANCEL, new request. `proxy` has
 * a file of its own, outbound-proxy.ts. What cannot be done is answered NOK with the reason; srf hands that to the app as an error.
 */
import type { AppLink } from "./app-link.js";
import { tellFailed } from "./app-notices.js";
import type { SipCommand } from "./app-protocol.js";
import type { EdgeContext } from "./edge-context.js";
import { sendAck } from "./outbound-ack.js";
import { cancelByApp } from "./outbound-cancel.js";
import { sendInDialog } from "./outbound-dialog.js";
import { sendNewRequest } from "./outbound-new.js";
import { sendResponse } from "./outbound-response.js";
import { headerValue, type SipRequest } from "./sip-message.js";
import { parseFramed } from "./sip-parser.js";

export function onAppSip(ctx: EdgeContext, app: AppLink, command: SipCommand): void {
  const parsed = parseFramed(command.text);
  if (parsed.kind !== "message") return tellFailed(ctx, app, command.msgId, "invalid sip message");
  const { message } = parsed;
  if (message.kind === "request") return onAppRequest(ctx, app, command, message);
  if (command.txn === "") return tellFailed(ctx, app, command.msgId, "transaction id missing");
  sendResponse(ctx, app, command, message);
}

function onAppRequest(ctx: EdgeContext, app: AppLink, command: SipCommand, message: SipRequest): void {
  if (command.dialogId === "" && message.method === "CANCEL") return cancelByApp(ctx, app, command, message);
  const dialog = dialogOf(ctx, command, message);
  if (dialog === null && command.dialogId === "") return sendNewRequest(ctx, app, command, message);
  // Only the app that has the call may act on it.
  if (message.method === "ACK") return sendAck(ctx, app, command, message, dialog?.app === app ? dialog : null);
  if (dialog === null || dialog.app !== app) {
    return tellFailed(ctx, app, command.msgId, "Server error: unable to find dialog for dialog id provided");
  }
  sendInDialog(ctx, dialog, command, message);
}

function dialogOf(
  ctx: EdgeContext,
  command: SipCommand,
  message: SipRequest,
): ReturnType<EdgeContext["dialogs"]["byCallId"]> {
  if (command.dialogId !== "") return ctx.dialogs.byId.get(command.dialogId) ?? null;
  const callId = headerValue(message.headers, "call-id");
  return callId === null ? null : ctx.dialogs.byCallId(callId);
}
