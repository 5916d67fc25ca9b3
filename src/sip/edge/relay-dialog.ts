/**
 * Requests inside a call that the edge relays (RFC 3261 §16): by their Route headers and Request-URI, with no app involved, so that a call goes on
 * when its app is gone. Loose routing only. Called by inbound.ts.
 */
import { requestText } from "./app-notices.js";
import { cdrStop } from "./cdr.js";
import type { EdgeContext } from "./edge-context.js";
import { openIncoming, refuse, respond } from "./incoming.js";
import type { CheckedRequest, CheckedResponse } from "./message-check.js";
import { parseNameAddr } from "./name-addr.js";
import { sendWithVia } from "./outgoing.js";
import { routesAfterUs } from "./own-route.js";
import { admit, type ProxiedCall, rememberCallee } from "./proxied-calls.js";
import { latestFlow, prefersFlow, reach, type Reached } from "./reach.js";
import { reasonPhrase } from "./reason-phrases.js";
import { relayedHeaders, startRelay } from "./relay-request.js";
import { relayResponse } from "./relay-response.js";
import { header } from "./sip-message.js";
import { parseSipUri } from "./sip-uri.js";
import type { Flow } from "./transport.js";
import { stampVia } from "./via.js";

const DROPPED: ReadonlySet<string> = new Set(["route"]);

/** The ACK of a 2xx has no transaction: every copy goes on, as every copy of the 2xx did. */
export function relayAck(ctx: EdgeContext, call: ProxiedCall, request: CheckedRequest, flow: Flow): void {
  if (request.maxForwards === 0) return;
  hearCaller(call, request, flow);
  const routes = routesAfterUs(ctx, request.message);
  const via = stampVia(request.via, flow.peer);
  reachNext(ctx, call, request, routes, (reached) => {
    if (reached.kind === "failed") return ctx.counters.add("dropped_stray_ack");
    const headers = relayedHeaders({ request, via }, routeHeaders(routes), DROPPED);
    sendWithVia(ctx, { ...request.message, headers }, reached.flow);
  });
}

export function relayInDialog(ctx: EdgeContext, call: ProxiedCall, request: CheckedRequest, flow: Flow): void {
  const incoming = openIncoming(ctx, request, flow);
  if (request.maxForwards === 0) return refuse(ctx, incoming, 483);
  hearCaller(call, request, flow);
  let cancel = (): void => refuse(ctx, incoming, 487);
  incoming.proxy = { cancel: () => cancel() };
  const { method } = request.message;
  if (method === "INVITE") respond(ctx, incoming, { status: 100, reason: reasonPhrase(100) });
  const routes = routesAfterUs(ctx, request.message);
  if (method === "BYE") tellHangUp(ctx, call, requestText(request, incoming.via));
  // Whoever hung up is gone, whether the other side can still be reached or not.
  const fail = (status: 408 | 487 | 503, sent = ""): void => {
    refuse(ctx, incoming, status);
    if (method === "BYE") end(ctx, call, sent);
  };
  reachNext(ctx, call, request, routes, (reached) => {
    // Cancelled while the name was looked up.
    if (incoming.entry.unanswered === null) return;
    if (reached.kind === "failed") return fail(503);
    admit(ctx, call, reached.flow);
    const headers = relayedHeaders(incoming, routeHeaders(routes), DROPPED);
    const relay = startRelay(ctx, { ...request.message, headers }, reached.flow, {
      onResponse(response) {
        rememberCallee(call, response.toTag);
        relayResponse(ctx, incoming, response);
        if (method === "BYE") afterBye(ctx, call, response, relay?.started.text ?? "");
      },
      onFailed: (status) => fail(status, relay?.started.text),
    });
    if (relay === null) return fail(503);
    cancel = relay.cancel;
  });
}

/** The called side is reached where it listens; a caller may have had to connect again. */
function hearCaller(call: ProxiedCall, request: CheckedRequest, flow: Flow): void {
  if (request.fromTag === call.callerTag) call.callerFlow = latestFlow(call.callerFlow, flow);
}

/** Where no Route is left it is the Request-URI; to a phone behind a NAT, or on an open connection, it is the way it was heard from. */
function reachNext(
  ctx: EdgeContext,
  call: ProxiedCall,
  request: CheckedRequest,
  routes: readonly string[],
  done: (reached: Reached) => void,
): void {
  const [first] = routes;
  const uri = parseSipUri(first === undefined ? request.message.uri : (parseNameAddr(first)?.uri ?? ""));
  if (uri === null) return done({ kind: "failed", reason: "no sip: URI to go to" });
  const known = request.fromTag === call.callerTag ? call.calleeFlow : call.callerFlow;
  if (first === undefined && known !== null && prefersFlow(known, uri)) return done({ kind: "flow", flow: known });
  reach(ctx, uri, done);
}

function routeHeaders(routes: readonly string[]) {
  return routes.map((route) => header("Route", route));
}

/** As soon as it is said: the other side may be gone and answer nothing for half a minute, which nobody talked. */
function tellHangUp(ctx: EdgeContext, call: ProxiedCall, received: string): void {
  if (call.isHungUp) return;
  call.isHungUp = true;
  cdrStop(ctx, "network", "normal-release", () => received);
}

/** The call is over with the answer to its BYE, unless that asks for credentials. */
function afterBye(ctx: EdgeContext, call: ProxiedCall, response: CheckedResponse, sent: string): void {
  const { status } = response.message;
  if (status < 200 || status === 401 || status === 407) return;
  end(ctx, call, sent);
}

/** @param sent the BYE as it went on; "" when it could not, and there is nothing to tell of it */
function end(ctx: EdgeContext, call: ProxiedCall, sent: string): void {
  ctx.proxied.remove(call);
  if (sent !== "") cdrStop(ctx, "application", "normal-release", () => sent);
}
