/** An app's request inside a dialog: BYE, re-INVITE, INFO, UPDATE, REFER, NOTIFY, PRACK … Request URI, route set, tags and CSeq are the dialog's. */
import { appHeaders, contentTypeHeaders, DIALOG_FIELDS } from "./app-headers.js";
import { tellFailed, tellMessage, tellRequestSent } from "./app-notices.js";
import type { SipCommand } from "./app-protocol.js";
import type { Dialog } from "./call-state.js";
import { cdrStop } from "./cdr.js";
import { contactUri, dialogRequest } from "./dialog.js";
import { endDialog, holdPeer } from "./dialog-life.js";
import type { EdgeContext } from "./edge-context.js";
import { eventName, grantedSeconds } from "./event-header.js";
import { failureResponse } from "./failure-response.js";
import type { CheckedResponse } from "./message-check.js";
import { startInvite } from "./outbound-invite.js";
import { startRequest } from "./outgoing.js";
import { reachDialog } from "./reach.js";
import { agreedSession, sessionHeaders } from "./session-expires.js";
import { rememberSdp, setSession } from "./session-timer.js";
import { type Header, hasHeader, header, type SipRequest } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { onNotified, onRefused, prolong } from "./subscription.js";
import { transactionTimeoutMs } from "./timers.js";
import type { Flow } from "./transport.js";

/** Requests whose Contact tells the peer where we are (RFC 3261 §12.2.1.1, RFC 3311, 3515, 6665). */
const NAMES_US: ReadonlySet<string> = new Set(["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"]);

/** What a dialog begun by SUBSCRIBE has no use for. */
const OF_A_CALL: ReadonlySet<string> = new Set(["INVITE", "BYE", "UPDATE", "PRACK"]);

export function sendInDialog(ctx: EdgeContext, dialog: Dialog, command: SipCommand, message: SipRequest): void {
  const { method } = message;
  const fail = (reason: string): void => tellFailed(ctx, dialog.app, command.msgId, reason);
  if (dialog.subscriptions !== null && OF_A_CALL.has(method)) return fail("there is no call in this dialog");
  if (dialog.state === "ended") return fail("Server error: unable to find dialog for dialog id provided");
  if (method === "BYE" && dialog.role === "uas" && dialog.state === "early") return fail("dialog is not established");
  // §15: a callee must not hang up before the ACK; it comes, or the ACK timeout ends the call.
  if (method === "BYE" && dialog.awaitingAck.size > 0) {
    dialog.whenAcked.push(() => sendInDialog(ctx, dialog, command, message));
    return;
  }
  if (method === "INVITE" && (dialog.ourInvite !== null || dialog.theirInvite !== null)) {
    return fail("another INVITE is in progress in this dialog");
  }
  const isOffer = method === "INVITE" || (method === "UPDATE" && message.body !== "");
  if (isOffer && (dialog.ourUpdate || dialog.theirUpdate !== null)) {
    return fail("another UPDATE is in progress in this dialog");
  }
  const headers = appHeaders(message, DIALOG_FIELDS, dialog.flow);
  const contentType = contentTypeHeaders(headers, message.body);
  if (contentType === null) return fail("missing content-type");
  const request = dialogRequest(dialog, {
    method,
    seq: ++dialog.localSeq,
    headers: [
      ...contactHeader(dialog, method, headers),
      ...(method === "INVITE" || method === "UPDATE" ? sessionHeaders(dialog.session, headers) : []),
      ...headers,
      ...contentType,
    ],
    body: message.body,
  });
  reachDialog(ctx, dialog, (reached) => {
    if (reached.kind === "failed") {
      if (method === "BYE") endDialog(ctx, dialog);
      return fail(reached.reason);
    }
    holdPeer(ctx, dialog, reached.flow.peer.address);
    if (method === "INVITE") startInvite(ctx, dialog.app, command.msgId, { request, flow: reached.flow, dialog });
    else startInDialog(ctx, dialog, command.msgId, request, reached.flow);
  });
}

function contactHeader(dialog: Dialog, method: string, given: readonly Header[]): Header[] {
  return NAMES_US.has(method) && !hasHeader(given, "contact") ? [header("Contact", dialog.localContact)] : [];
}

function startInDialog(ctx: EdgeContext, dialog: Dialog, msgId: string, request: SipRequest, flow: Flow): void {
  const { app, id } = dialog;
  const txn = ctx.random.uuid();
  const isOffer = request.method === "UPDATE" && request.body !== "";
  if (isOffer) dialog.ourUpdate = true;
  const started = startRequest(ctx, request, flow, {
    onResponse: (response) => {
      if (isOffer && response.message.status >= 200) dialog.ourUpdate = false;
      afterResponse(ctx, dialog, started?.request ?? request, response);
      tellMessage(ctx, app, { message: response.message, flow, txn, dialogId: id });
    },
    onFailed: (status) => {
      if (isOffer) dialog.ourUpdate = false;
      if (request.method === "BYE") endByBye(ctx, dialog, started?.request ?? request);
      if (status === 408) afterSubscriptionRequest(ctx, dialog, request, null);
      if (started === null) return;
      tellMessage(ctx, app, { message: failureResponse(started.request, status), flow, txn, dialogId: id });
    },
  });
  if (started === null) {
    if (isOffer) dialog.ourUpdate = false;
    return tellFailed(ctx, app, msgId, "too many transactions");
  }
  tellRequestSent(ctx, app, { msgId, flow, text: started.text, txn });
}

/** Unless the other side's BYE has crossed ours and ended it. */
function endByBye(ctx: EdgeContext, dialog: Dialog, bye: SipRequest): void {
  if (dialog.state !== "ended") cdrStop(ctx, "application", "normal-release", () => writeMessage(bye));
  endDialog(ctx, dialog);
}

/** A BYE ends the dialog with its answer; a challenged one is repeated by the app with credentials, so the dialog waits for that. */
function afterResponse(ctx: EdgeContext, dialog: Dialog, request: SipRequest, response: CheckedResponse): void {
  const { method } = request;
  const { status } = response.message;
  if (method === "BYE" && status >= 200) {
    if (status !== 401 && status !== 407) endByBye(ctx, dialog, request);
    else ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => endDialog(ctx, dialog));
  }
  afterSubscriptionRequest(ctx, dialog, request, response);
  if (method === "UPDATE" && status >= 200 && status < 300) {
    dialog.remoteTarget = contactUri(response.message) ?? dialog.remoteTarget;
    rememberSdp(dialog, request.body);
    setSession(ctx, dialog, agreedSession(request, response));
  }
}

/** A refresh or a NOTIFY of ours and what became of it; null when nobody answered. */
function afterSubscriptionRequest(
  ctx: EdgeContext,
  dialog: Dialog,
  request: SipRequest,
  response: CheckedResponse | null,
): void {
  const { method, headers } = request;
  const status = response?.message.status ?? 408;
  if (status < 200 || (method !== "SUBSCRIBE" && method !== "NOTIFY")) return;
  if (method === "NOTIFY") onNotified(ctx, dialog, headers);
  if (status >= 300 || response === null) return onRefused(ctx, dialog, headers, status);
  const event = eventName(headers);
  if (method === "NOTIFY" || event === null || dialog.subscriptions === null) return;
  dialog.remoteTarget = contactUri(response.message) ?? dialog.remoteTarget;
  prolong(ctx, dialog, event, grantedSeconds(request, response.message.headers));
}
