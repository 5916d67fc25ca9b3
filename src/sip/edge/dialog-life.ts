/** Dialogs begin and end here, so that the table, the timers and the admitted addresses never disagree. */
import type { AppLink } from "./app-link.js";
import type { Dialog } from "./call-state.js";
import type { DialogFacts } from "./dialog.js";
import type { StackContext } from "./edge-context.js";
import { MAX_DIALOGS } from "./limits.js";
import { ownContact } from "./own-address.js";
import type { Flow } from "./transport.js";

export interface NewDialog {
  readonly id: string;
  readonly role: "uas" | "uac";
  readonly facts: DialogFacts;
  readonly app: AppLink;
  readonly flow: Flow;
}

/** Null when the edge holds as many dialogs as it may. */
export function beginDialog(ctx: StackContext, what: NewDialog): Dialog | null {
  if (ctx.dialogs.byId.size >= MAX_DIALOGS) return null;
  const { facts } = what;
  // Field by field: with a spread this object costs 20 us.
  const dialog: Dialog = {
    callId: facts.callId,
    localTag: facts.localTag,
    remoteTag: facts.remoteTag,
    localParty: facts.localParty,
    remoteParty: facts.remoteParty,
    localSeq: facts.localSeq,
    remoteSeq: facts.remoteSeq,
    routeSet: facts.routeSet,
    remoteTarget: facts.remoteTarget,
    id: what.id,
    role: what.role,
    state: "early",
    app: what.app,
    flow: what.flow,
    localContact: ownContact(what.flow),
    startedAtMs: ctx.clock.monotonicMs(),
    awaitingAck: new Map(),
    whenAcked: [],
    toAck: [],
    reliable: null,
    ourInvite: null,
    theirInvite: null,
    ourUpdate: false,
    theirUpdate: null,
    session: null,
    localSdp: "",
    subscriptions: null,
    held: new Map(),
  };
  ctx.dialogs.add(dialog);
  holdPeer(ctx, dialog, what.flow.peer.address);
  ctx.counters.add("dialogs_created");
  return dialog;
}

/** Admits packets from this address while the dialog lasts: a destination need not be inside any trunk's CIDRs. */
export function holdPeer(ctx: StackContext, dialog: Dialog, address: string): void {
  if (dialog.state !== "ended" && !dialog.held.has(address)) dialog.held.set(address, ctx.sources.hold(address));
}

/** Idempotent. Nothing is sent and nobody told: that is for the caller, before or after. */
export function endDialog(ctx: StackContext, dialog: Dialog): void {
  if (dialog.state === "ended") return;
  dialog.state = "ended";
  ctx.dialogs.remove(dialog);
  for (const answer of dialog.awaitingAck.values()) answer.stop();
  dialog.awaitingAck.clear();
  for (const sent of dialog.toAck.splice(0)) sent.timer?.cancel();
  for (const release of dialog.held.values()) release();
  dialog.held.clear();
  dialog.reliable?.stop();
  dialog.session?.stop();
  for (const subscription of dialog.subscriptions?.values() ?? []) subscription.timer.cancel();
  runWhenAcked(dialog);
}

/** Whoever waited for the ACK looks at the dialog's state again. */
export function runWhenAcked(dialog: Dialog): void {
  for (const act of dialog.whenAcked.splice(0)) act();
}
