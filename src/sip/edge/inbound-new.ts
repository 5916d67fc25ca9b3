/**
 * Requests that begin something: checked as RFC 3261 §8.2 and §16.3 ask, then given to an app that routed their method. For an INVITE the edge
 * says 100 at once and watches that the app takes it up.
 */
import { ALLOW_HEADER, isAllowed } from "./allowed-methods.js";
import { requestText, tellNewRequest } from "./app-notices.js";
import type { Incoming } from "./call-state.js";
import { cdrAttempt } from "./cdr.js";
import type { EdgeContext } from "./edge-context.js";
import { beginsSubscription } from "./event-header.js";
import { giveUpInvite } from "./inbound-cancel.js";
import { openIncoming, refuse, respond } from "./incoming.js";
import { DRAIN_RETRY_AFTER_S, MAX_DIALOGS, MAX_RINGING_MS, RETRY_AFTER_S } from "./limits.js";
import type { CheckedRequest } from "./message-check.js";
import { reasonPhrase } from "./reason-phrases.js";
import { sessionTooShort } from "./session-expires.js";
import { header, listValues } from "./sip-message.js";
import { clientKey } from "./transaction-table.js";
import type { Flow } from "./transport.js";
import { parseVia } from "./via.js";

/** Option tags of a Require header that the edge itself can honour. */
const SUPPORTED_EXTENSIONS: ReadonlySet<string> = new Set(["100rel", "timer"]);

export function onNewRequest(ctx: EdgeContext, request: CheckedRequest, flow: Flow): void {
  const { method } = request.message;
  if (method === "INVITE") ctx.counters.add("invites_received");
  const incoming = openIncoming(ctx, request, flow);

  // 0 hops left: only OPTIONS may be answered here (§11); carriers ping their neighbour with `Max-Forwards: 0`.
  if (request.maxForwards === 0 && method !== "OPTIONS") return refuse(ctx, incoming, 483);
  if (isLoop(ctx, request) || isMerged(ctx, incoming)) {
    ctx.counters.add("loops");
    return refuse(ctx, incoming, 482);
  }
  const unsupported = unsupportedExtensions(request);
  if (unsupported !== "") return refuse(ctx, incoming, 420, [header("Unsupported", unsupported)]);
  const minimum = method === "INVITE" ? sessionTooShort(request) : null;
  if (minimum !== null) return refuse(ctx, incoming, 422, [minimum]);
  if (ctx.isDraining) {
    ctx.counters.add("refused_draining");
    return refuse(ctx, incoming, 503, [header("Retry-After", String(DRAIN_RETRY_AFTER_S))]);
  }
  if (
    (method === "INVITE" || beginsSubscription(method)) &&
    ctx.transactions.invites.size + ctx.dialogs.byId.size >= MAX_DIALOGS
  ) {
    ctx.counters.add("refused_capacity");
    return refuse(ctx, incoming, 503, [header("Retry-After", String(RETRY_AFTER_S))]);
  }
  handToApp(ctx, incoming);
}

/** What a Require header asks that the edge cannot do (§8.2.2.3); empty when there is nothing. */
export function unsupportedExtensions(request: CheckedRequest): string {
  const tags = listValues(request.message.headers, "require");
  return tags.filter((tag) => tag !== "" && !SUPPORTED_EXTENSIONS.has(tag.toLowerCase())).join(", ");
}

function handToApp(ctx: EdgeContext, incoming: Incoming): void {
  const { method } = incoming.request.message;
  const app = ctx.apps.choose(method);
  if (app === null) return refuseUntaken(ctx, incoming);
  incoming.app = app;
  if (method === "INVITE") {
    ctx.transactions.invites.set(incoming.dialogId, incoming);
    cdrAttempt(ctx, "network", () => requestText(incoming.request, incoming.via));
    respond(ctx, incoming, { status: 100, reason: reasonPhrase(100) });
  }
  tellNewRequest(ctx, app, incoming);
  incoming.timers.set(
    "silent",
    ctx.scheduler.after(ctx.timers.appSilentMs, () => onSilentApp(ctx, incoming)),
  );
  if (method === "INVITE") {
    incoming.timers.set(
      "ringing",
      ctx.scheduler.after(MAX_RINGING_MS, () => giveUpInvite(ctx, incoming, 504)),
    );
  }
}

/**
 * 503 tells a carrier that this node is down, so it is for that alone; a method that means nothing here is 405 (§8.2.1). What our own Allow names is never
 * 405: an app that is just connecting says one method after the other what it takes.
 */
function refuseUntaken(ctx: EdgeContext, incoming: Incoming): void {
  const { method } = incoming.request.message;
  if (ctx.apps.isTakenByNone(method) && !isAllowed(method)) {
    ctx.counters.add("refused_method");
    return refuse(ctx, incoming, 405, [ALLOW_HEADER]);
  }
  ctx.counters.add("refused_no_app");
  refuse(ctx, incoming, 503, [header("Retry-After", String(RETRY_AFTER_S))]);
}

/** The caller's carrier can still try another route; drachtio-server would leave it without an answer for ever. */
function onSilentApp(ctx: EdgeContext, incoming: Incoming): void {
  ctx.counters.add("app_silent");
  const retryAfter = [header("Retry-After", String(RETRY_AFTER_S))];
  if (incoming.request.message.method === "INVITE") giveUpInvite(ctx, incoming, 503, retryAfter);
  else refuse(ctx, incoming, 503, retryAfter);
}

/** A Via below the top that carries one of our branches: the request has been here (§16.3.4). */
function isLoop(ctx: EdgeContext, request: CheckedRequest): boolean {
  return request.viasBelow.some((below) => {
    const branch = parseVia(below)?.params.get("branch") ?? "";
    return ctx.transactions.clients.has(clientKey(branch, request.message.method));
  });
}

/** The same call a second time over another path (§8.2.2.2), or a call of our own come back through a proxy that hides its Vias. */
function isMerged(ctx: EdgeContext, incoming: Incoming): boolean {
  const { method } = incoming.request.message;
  if (method !== "INVITE" && !beginsSubscription(method)) return false;
  return ctx.transactions.invites.has(incoming.dialogId) || ctx.dialogs.byId.has(incoming.dialogId);
}
