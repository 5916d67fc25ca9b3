/** An app hands an INVITE over to the edge (drachtio `proxy`): checked, taken off the app, relayed; the app only hears how it went. */
import { appHeaders, NEW_REQUEST_FIELDS } from "./app-headers.js";
import type { AppLink } from "./app-link.js";
import { tellFailed, tellProxyDone, tellProxyResponse } from "./app-notices.js";
import type { ProxyCommand } from "./app-protocol.js";
import type { EdgeContext } from "./edge-context.js";
import { MAX_DIALOGS } from "./limits.js";
import type { ProxiedCall } from "./proxied-calls.js";
import { proxyInvite } from "./proxy-invite.js";
import type { SipResponse } from "./sip-message.js";
import { parseFramed } from "./sip-parser.js";
import type { Flow } from "./transport.js";

export function onAppProxy(ctx: EdgeContext, app: AppLink, command: ProxyCommand): void {
  const { msgId, txn, targets } = command;
  const fail = (reason: string): void => tellFailed(ctx, app, msgId, reason);
  const incoming = ctx.transactions.incoming.get(txn);
  const isPending = incoming?.request.message.method === "INVITE" && incoming.request.toTag === null;
  // An app that has rung as a called phone has a dialog of its own with the caller.
  if (incoming === undefined || !isPending || incoming.app !== app || incoming.dialog !== null) {
    return fail(`Unknown transaction id: ${txn}`);
  }
  const parsed = parseFramed(command.text);
  if (parsed.kind !== "message" || targets.length === 0) return fail("invalid proxy message");
  if (ctx.proxied.size >= MAX_DIALOGS) return fail("too many calls");
  const fields = new Set([...NEW_REQUEST_FIELDS, "content-type"]);
  const headers = appHeaders(parsed.message, fields, incoming.flow);
  // From here on it is the edge's: no watchdog of the app's, and no harm when the app goes.
  incoming.isClaimed = true;
  incoming.app = null;
  for (const timer of incoming.timers.values()) timer.cancel();
  incoming.timers.clear();
  const { request, flow } = incoming;
  const call: ProxiedCall = {
    callId: request.callId,
    callerTag: request.fromTag ?? "",
    calleeTags: new Set(),
    startedAtMs: ctx.clock.monotonicMs(),
    callerFlow: flow,
    calleeFlow: null,
    isAnswered: false,
    isHungUp: false,
    held: new Map(),
  };
  ctx.proxied.add(call);
  const { simultaneous, remainInDialog: recordRoute, followRedirects, provisionalMs, finalMs } = command;
  const plan = { targets, simultaneous, recordRoute, followRedirects, provisionalMs, finalMs, headers };
  const tell = (message: SipResponse, from: Flow): void => {
    if (command.fullResponse) tellProxyResponse(ctx, app, msgId, message, from);
  };
  proxyInvite(ctx, incoming, plan, call, {
    onRinging: tell,
    onFinal: tell,
    onDone: () => tellProxyDone(ctx, app, msgId),
  });
}
