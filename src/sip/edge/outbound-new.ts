/** An app's request outside any dialog: addressed, completed with everything srf leaves out, sent. INVITEs go on in outbound-invite.ts. */
import type { AppLink } from "./app-link.js";
import { appHeaders, contentTypeHeaders, NEW_REQUEST_FIELDS } from "./app-headers.js";
import { tellFailed, tellMessage, tellRequestSent } from "./app-notices.js";
import type { SipCommand } from "./app-protocol.js";
import { dialogId } from "./dialog-table.js";
import { type EdgeContext, firstSeq, newTag } from "./edge-context.js";
import { beginsSubscription } from "./event-header.js";
import { failureResponse } from "./failure-response.js";
import { MAX_CALL_ID_BYTES, MAX_DIALOGS } from "./limits.js";
import { parseNameAddr } from "./name-addr.js";
import { startInvite } from "./outbound-invite.js";
import { watchSubscribe } from "./outbound-subscribe.js";
import { startRequest } from "./outgoing.js";
import { ownContact, replaceLocalhost } from "./own-address.js";
import { reach } from "./reach.js";
import { sessionHeaders } from "./session-expires.js";
import { header, type Header, headerValue, type SipRequest } from "./sip-message.js";
import { parseSipUri, type SipUri, uriScheme } from "./sip-uri.js";
import type { Flow } from "./transport.js";

export function sendNewRequest(ctx: EdgeContext, app: AppLink, command: SipCommand, message: SipRequest): void {
  const fail = (reason: string): void => tellFailed(ctx, app, command.msgId, reason);
  if (message.method === "ACK" || message.method === "CANCEL") return fail(`${message.method} without a transaction`);
  const target = parseSipUri(message.uri);
  const mayRoute = command.routeUrl !== null && uriScheme(message.uri) === "tel";
  if ((target === null && !mayRoute) || target?.hasHeaders === true) return fail(`invalid request-uri: ${message.uri}`);
  const nextHop = command.routeUrl === null ? target : routeUri(command.routeUrl);
  if (nextHop === null) return fail(`invalid request-uri: ${command.routeUrl ?? ""}`);
  const isDialog = message.method === "INVITE" || beginsSubscription(message.method);
  if (isDialog && ctx.transactions.outgoing.size + ctx.dialogs.byId.size >= MAX_DIALOGS) {
    return fail("too many calls");
  }
  reach(ctx, nextHop, (reached) => {
    if (reached.kind === "failed") return fail(reached.reason);
    if (!app.isOpen) return;
    const request = completeRequest(ctx, message, reached.flow);
    if (typeof request === "string") return fail(request);
    if (request.method === "INVITE")
      startInvite(ctx, app, command.msgId, { request, flow: reached.flow, dialog: null });
    else startPlain(ctx, app, command.msgId, request, reached.flow);
  });
}

/** `sip:host;transport=tcp`, or what srf also allows: `host[:port]`. */
function routeUri(url: string): SipUri | null {
  return parseSipUri(url) ?? parseSipUri(`sip:${url}`);
}

/** The request but for its Via, or the reason why there is none. Max-Forwards always starts anew, as in drachtio-server. */
function completeRequest(ctx: EdgeContext, message: SipRequest, flow: Flow): SipRequest | string {
  const { method } = message;
  const rest = appHeaders(message, NEW_REQUEST_FIELDS, flow);
  const contentType = contentTypeHeaders(rest, message.body);
  if (contentType === null) return "missing content-type";
  const given = (name: string): Header | null => {
    const value = headerValue(message.headers, name);
    return value === null ? null : replaceLocalhost(header(name, value), flow);
  };
  const from = taggedFrom(ctx, given("from")?.value ?? ownContact(flow));
  const to = given("to")?.value ?? `<${message.uri}>`;
  if (from === null) return "invalid from header";
  if (parseNameAddr(to) === null) return "invalid to header";
  const callId = given("call-id")?.value ?? ctx.random.uuid();
  if (callId.length > MAX_CALL_ID_BYTES || /\s/.test(callId)) return "invalid call-id";
  const contact = given("contact");
  const needsContact = method === "INVITE" || beginsSubscription(method);
  return {
    ...message,
    headers: [
      header("Max-Forwards", "70"),
      header("From", from),
      header("To", to),
      header("Call-ID", callId),
      header("CSeq", `${givenSeq(message, method) ?? firstSeq(ctx.random)} ${method}`),
      ...(contact === null && needsContact ? [header("Contact", ownContact(flow, message.uri))] : []),
      ...(contact === null ? [] : [contact]),
      ...(method === "INVITE" ? sessionHeaders(null, rest) : []),
      ...rest,
      ...contentType,
    ],
  };
}

/** With brackets, so that the tag cannot become part of the URI; one that is there (a retry with credentials) stays. */
function taggedFrom(ctx: EdgeContext, value: string): string | null {
  const party = parseNameAddr(value);
  if (party === null) return null;
  if (party.params.has("tag")) return value;
  const bracketed = value.includes("<") ? value : `<${party.uri}>`;
  return `${bracketed};tag=${newTag(ctx.random)}`;
}

/** srf's digest client repeats a request with CSeq + 1. */
function givenSeq(message: SipRequest, method: string): number | null {
  const match = /^(\d{1,10})\s+(\S+)$/.exec(headerValue(message.headers, "cseq") ?? "");
  if (match === null || match[2] !== method) return null;
  const number = Number(match[1]);
  return number < 2 ** 31 ? number : null;
}

function startPlain(ctx: EdgeContext, app: AppLink, msgId: string, request: SipRequest, flow: Flow): void {
  const txn = ctx.random.uuid();
  const fromTag = parseNameAddr(headerValue(request.headers, "from") ?? "")?.params.get("tag") ?? "";
  const id = dialogId(headerValue(request.headers, "call-id") ?? "", fromTag);
  const subscribing = beginsSubscription(request.method) ? watchSubscribe(ctx, app, id, request, flow) : null;
  const started = startRequest(ctx, request, flow, {
    onResponse: (response) => {
      subscribing?.onResponse(response);
      tellMessage(ctx, app, { message: response.message, flow, txn, dialogId: id });
      if (response.message.status >= 200) subscribing?.settle();
    },
    onFailed: (status) => {
      subscribing?.settle();
      if (started === null) return;
      tellMessage(ctx, app, { message: failureResponse(started.request, status), flow, txn, dialogId: id });
    },
  });
  if (started === null) subscribing?.settle();
  if (started === null) return tellFailed(ctx, app, msgId, "too many transactions");
  tellRequestSent(ctx, app, { msgId, flow, text: started.text, txn });
}
