/**
 * The subscriptions (RFC 6665) of a dialog that a SUBSCRIBE or REFER began: begun by its 2xx, prolonged by refreshes and NOTIFYs, ended by
 * `terminated`, by a refusal or by time, so that no dialog is left of an app or a peer that forgot it. A subscription inside a call ends with the call.
 */
import type { AppLink } from "./app-link.js";
import { tellUnsolicited } from "./app-notices.js";
import type { Dialog, Subscription } from "./call-state.js";
import { type DialogFacts, dialogRequest } from "./dialog.js";
import { beginDialog, endDialog } from "./dialog-life.js";
import type { EdgeContext } from "./edge-context.js";
import { eventName, type EventName, subscriptionState } from "./event-header.js";
import { MAX_SUBSCRIPTION_S, MAX_SUBSCRIPTIONS } from "./limits.js";
import { startRequest } from "./outgoing.js";
import { reachDialog } from "./reach.js";
import { type Header, header } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { transactionTimeoutMs } from "./timers.js";
import type { Flow } from "./transport.js";

export interface NewSubscription {
  readonly id: string;
  /** `uac` is the subscriber. */
  readonly role: "uas" | "uac";
  readonly facts: DialogFacts;
  readonly app: AppLink;
  readonly flow: Flow;
  readonly event: EventName;
  readonly seconds: number;
}

/** Null when there is no room, or when this dialog is there already. */
export function beginSubscription(ctx: EdgeContext, what: NewSubscription): Dialog | null {
  if (ctx.dialogs.byId.has(what.id)) return null;
  const dialog = beginDialog(ctx, what);
  if (dialog === null) return null;
  dialog.state = "confirmed";
  dialog.subscriptions = new Map();
  // §4.1.2.4, timer N: a subscriber that gets no NOTIFY in 64*T1 has no subscription.
  keep(ctx, dialog, { event: what.event, seconds: what.seconds, isNotified: what.role === "uas" });
  return dialog;
}

/** @returns false when the dialog holds as many subscriptions as it may */
export function prolong(ctx: EdgeContext, dialog: Dialog, event: EventName, seconds: number): boolean {
  const { subscriptions } = dialog;
  if (subscriptions === null || dialog.state === "ended") return true;
  const before = subscriptions.get(event.key);
  if (before === undefined && subscriptions.size >= MAX_SUBSCRIPTIONS) return false;
  before?.timer.cancel();
  keep(ctx, dialog, { event, seconds, isNotified: true });
  return true;
}

function keep(ctx: EdgeContext, dialog: Dialog, what: Omit<Subscription, "timer">): void {
  const { event } = what;
  const lastS = what.isNotified ? Math.min(what.seconds, MAX_SUBSCRIPTION_S) : 0;
  // The grace is for a refresh under way, and for the last NOTIFY that every end of a subscription has (§4.4.1).
  const afterMs = lastS * ctx.timers.sessionSecondMs + transactionTimeoutMs(ctx.timers);
  const timer = ctx.scheduler.after(afterMs, () => expire(ctx, dialog, event));
  dialog.subscriptions?.set(event.key, { ...what, timer });
}

/** A NOTIFY went through the dialog, in whichever direction. */
export function onNotified(ctx: EdgeContext, dialog: Dialog, headers: readonly Header[]): void {
  const event = eventName(headers);
  const state = subscriptionState(headers);
  const subscription = event === null ? undefined : dialog.subscriptions?.get(event.key);
  if (event === null || state === null || subscription === undefined) return;
  if (state.kind === "terminated") return endOne(ctx, dialog, event);
  const isNew = !subscription.isNotified || state.seconds !== null;
  if (isNew) prolong(ctx, dialog, subscription.event, state.seconds ?? subscription.seconds);
}

/** §4.1.2.2, §4.2.2: the refusals after which there is no subscription. */
const FATAL: ReadonlySet<number> = new Set([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

/** A refresh or a NOTIFY of ours was refused. */
export function onRefused(ctx: EdgeContext, dialog: Dialog, headers: readonly Header[], status: number): void {
  const event = eventName(headers);
  if (event !== null && FATAL.has(status)) endOne(ctx, dialog, event);
}

/** The dialog ends with its last subscription. */
function endOne(ctx: EdgeContext, dialog: Dialog, event: EventName): void {
  dialog.subscriptions?.get(event.key)?.timer.cancel();
  dialog.subscriptions?.delete(event.key);
  if (dialog.subscriptions?.size === 0) endDialog(ctx, dialog);
}

function expire(ctx: EdgeContext, dialog: Dialog, event: EventName): void {
  if (dialog.state === "ended") return;
  ctx.counters.add("subscriptions_expired");
  if (dialog.role === "uas") sayOver(ctx, dialog, event, "timeout");
  if (dialog.subscriptions?.size === 1) tellOver(ctx, dialog, "subscription expired");
  endOne(ctx, dialog, event);
}

/** By the edge's own decision: the app is gone, or the edge stops. */
export function endSubscriptions(ctx: EdgeContext, dialog: Dialog, how: { why: string; tellApp: boolean }): void {
  if (dialog.state === "ended") return;
  ctx.counters.add("dialogs_ended_by_edge");
  for (const { event } of dialog.subscriptions?.values() ?? []) sayOver(ctx, dialog, event, "deactivated");
  if (how.tellApp) tellOver(ctx, dialog, how.why);
  endDialog(ctx, dialog);
}

/** To the peer: a last NOTIFY, or a SUBSCRIBE that ends it. A REFER's subscriber cannot unsubscribe; its NOTIFYs get 481. */
function sayOver(ctx: EdgeContext, dialog: Dialog, event: EventName, reason: "timeout" | "deactivated"): void {
  if (dialog.role === "uac" && event.key === "refer") return;
  const said =
    dialog.role === "uas" ? header("Subscription-State", `terminated;reason=${reason}`) : header("Expires", "0");
  const request = dialogRequest(dialog, {
    method: dialog.role === "uas" ? "NOTIFY" : "SUBSCRIBE",
    seq: ++dialog.localSeq,
    headers: [header("Contact", dialog.localContact), header("Event", event.value), said],
  });
  reachDialog(ctx, dialog, (reached) => {
    const flow = reached.kind === "flow" ? reached.flow : dialog.flow;
    startRequest(ctx, request, flow, { onResponse: () => undefined, onFailed: () => undefined });
  });
}

/** As srf learns of every end that was not the app's doing: a BYE, though none is sent. Its dialog emits `destroy` with the reason. */
function tellOver(ctx: EdgeContext, dialog: Dialog, why: string): void {
  const reason = header("Reason", `SIP;cause=200;text="${why}"`);
  const bye = dialogRequest(dialog, { method: "BYE", seq: dialog.localSeq + 1, headers: [reason] });
  tellUnsolicited(ctx, dialog, dialog.flow, writeMessage(bye));
}
