/**
 * Every message from the network comes here, and is either matched to what exists or handed to inbound-new.ts. The order is the rule: silence for
 * scanners and strays, then syntax, then existing transactions, then dialogs, and only then anything new.
 */
import type { EdgeContext } from "./edge-context.js";
import { onCancel } from "./inbound-cancel.js";
import { onAck, onDialogRequest } from "./inbound-dialog.js";
import { onNewRequest } from "./inbound-new.js";
import { holdNotify } from "./inbound-subscription.js";
import { openIncoming, refuse } from "./incoming.js";
import { MAX_SERVER_TRANSACTIONS, RETRY_AFTER_S } from "./limits.js";
import { matchRequest, matchResponse } from "./match-transaction.js";
import { type CheckedRequest, checkRequest, isAnswerable } from "./message-check.js";
import { reasonPhrase } from "./reason-phrases.js";
import { isScanner } from "./scanner-filter.js";
import { header, type SipRequest } from "./sip-message.js";
import type { Parsed, Problem } from "./sip-parser.js";
import { relayAck, relayInDialog } from "./relay-dialog.js";
import { replyStateless } from "./stateless-reply.js";
import type { Flow } from "./transport.js";

export function receive(ctx: EdgeContext, parsed: Parsed, flow: Flow): void {
  if (parsed.kind === "keepalive") return ctx.counters.add("keepalives");
  if (parsed.kind === "garbage") return ctx.counters.add("malformed");
  ctx.counters.add("messages_received");
  const { message } = parsed;
  if (message.kind === "response") matchResponse(ctx, message, parsed.problem);
  else onRequest(ctx, message, parsed.problem, flow);
}

function onRequest(ctx: EdgeContext, message: SipRequest, problem: Problem | null, flow: Flow): void {
  if (isScanner(message)) return ctx.counters.add("dropped_scanner");
  const check = checkRequest(message);
  const refusal = problem ?? (check.kind === "refused" ? check.problem : null);
  if (refusal !== null) return refuseMalformed(ctx, message, refusal, flow);
  if (check.kind === "ok") onCheckedRequest(ctx, check.request, flow);
}

function onCheckedRequest(ctx: EdgeContext, request: CheckedRequest, flow: Flow): void {
  const { method } = request.message;
  if (matchRequest(ctx, request)) return;
  const proxied = ctx.proxied.match(request.callId, request.fromTag, request.toTag);
  if (method === "ACK") return proxied === null ? onAck(ctx, request, flow) : relayAck(ctx, proxied, request, flow);
  if (ctx.transactions.servers.size >= MAX_SERVER_TRANSACTIONS) return refuseForRoom(ctx, request, flow);
  if (method === "CANCEL") return onCancel(ctx, request, flow);

  if (proxied !== null) return relayInDialog(ctx, proxied, request, flow);
  if (method === "NOTIFY" && holdNotify(ctx, request, flow)) return;
  const { toTag, fromTag, callId } = request;
  const dialog = toTag === null ? null : ctx.dialogs.match(callId, fromTag ?? "", toTag);
  if (dialog !== null) return onDialogRequest(ctx, dialog, request, flow);
  // An address we only answer to begins nothing here.
  if (!flow.isTrusted) return ctx.counters.add("dropped_stray_request");
  if (toTag !== null) return refuse(ctx, openIncoming(ctx, request, flow), 481);
  onNewRequest(ctx, request, flow);
}

/** Strangers never get here; peers that are no trunk get no error either. */
function refuseMalformed(ctx: EdgeContext, message: SipRequest, problem: Problem, flow: Flow): void {
  ctx.counters.add(problem.status === 513 ? "too_large" : "malformed");
  if (flow.isTrusted && isAnswerable(message)) replyStateless(message, flow, problem);
}

function refuseForRoom(ctx: EdgeContext, request: CheckedRequest, flow: Flow): void {
  ctx.counters.add("refused_capacity");
  if (!flow.isTrusted) return;
  const headers = [header("Retry-After", String(RETRY_AFTER_S))];
  replyStateless(request.message, flow, { status: 503, reason: reasonPhrase(503), headers });
}
