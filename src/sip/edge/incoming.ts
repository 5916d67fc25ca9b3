/**
 * A request from the network and its server transaction: opening it, answering it, letting go of it. Inbound code and the app's answers
 * (outbound-response.ts) both end here, so the To tag, the timers and the tables are kept in one place.
 */
import type { Dialog, Incoming, ServerEntry } from "./call-state.js";
import { endDialog } from "./dialog-life.js";
import { dialogId } from "./dialog-table.js";
import { newTag, type StackContext } from "./edge-context.js";
import { InviteServerTransaction, type ServerTransactionIo } from "./invite-server-transaction.js";
import { keptText } from "./kept-text.js";
import type { CheckedRequest } from "./message-check.js";
import { NonInviteServerTransaction } from "./non-invite-server-transaction.js";
import { type EdgeStatus, reasonPhrase } from "./reason-phrases.js";
import type { Header } from "./sip-message.js";
import { writeResponse } from "./sip-writer.js";
import { serverKey } from "./transaction-table.js";
import { type Destination, type Flow, isReliable, type Transport } from "./transport.js";
import { defaultPort, responseAddress, stampVia, type Via } from "./via.js";

/** The caller has looked for an existing transaction and for room in the table. */
export function openIncoming(
  ctx: StackContext,
  request: CheckedRequest,
  flow: Flow,
  dialog: Dialog | null = null,
): Incoming {
  const key = keptText(serverKey(request, request.message.method));
  const via = stampVia(request.via, flow.peer);
  const setting = { timers: ctx.timers, scheduler: ctx.scheduler, reliable: isReliable(flow) };
  const io = new ServerIo(ctx, key, via, flow);
  const machine =
    request.message.method === "INVITE"
      ? new InviteServerTransaction(setting, io)
      : new NonInviteServerTransaction(setting, io);
  const entry: ServerEntry = { machine, unanswered: null, localTag: dialog?.localTag ?? newTag(ctx.random) };
  const incoming: Incoming = {
    txn: ctx.random.uuid(),
    request,
    via,
    flow,
    entry,
    dialogId: dialog?.id ?? dialogId(request.callId, request.fromTag ?? ""),
    isTagSent: false,
    app: null,
    dialog,
    isClaimed: false,
    proxy: null,
    reliable: null,
    timers: new Map(),
  };
  entry.unanswered = incoming;
  ctx.transactions.servers.set(key, entry);
  ctx.transactions.incoming.set(incoming.txn, incoming);
  return incoming;
}

/** What stays of a request for up to 64*T1 after its answer, tens of thousands of times at full load: so it is no closure and holds no message. */
class ServerIo implements ServerTransactionIo {
  private readonly servers: Map<string, ServerEntry>;
  private readonly key: string;
  private readonly transport: Transport;
  private readonly to: Destination;
  private readonly release: (() => void) | null;

  constructor(ctx: StackContext, key: string, via: Via, flow: Flow) {
    this.servers = ctx.transactions.servers;
    this.key = key;
    this.transport = flow.transport;
    this.to = responseDestination(via, flow);
    // A peer that is no trunk stays admitted until its retransmissions are over.
    this.release = flow.isTrusted ? null : ctx.sources.hold(flow.peer.address);
  }

  send(message: string): void {
    this.transport.send(message, this.to, ignoreError);
  }

  onTerminated(): void {
    this.servers.delete(this.key);
    this.release?.();
  }
}

/** A lost answer is asked for again by the peer. */
function ignoreError(): void {}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers?: readonly Header[];
  readonly body?: string;
}

/** @returns the response as sent; null when a final answer had been given before, and nothing was sent */
export function respond(ctx: StackContext, incoming: Incoming, answer: Answer): string | null {
  const { request, entry } = incoming;
  const toTag = answer.status > 100 && request.toTag === null ? entry.localTag : null;
  const { status, reason, headers = [], body = "" } = answer;
  const text = writeResponse(request, incoming.via, { status, reason, toTag, headers, body });
  if (!respondText(ctx, incoming, answer.status, text)) return null;
  if (toTag !== null) incoming.isTagSent = true;
  return text;
}

/** @returns false when a final answer had been given before, and this complete response was not sent */
export function respondText(ctx: StackContext, incoming: Incoming, status: number, text: string): boolean {
  if (!incoming.entry.machine.respond(status, text)) return false;
  if (status >= 200) settle(ctx, incoming, status);
  return true;
}

/** An answer of the edge's own, with the standard phrase. */
export function refuse(
  ctx: StackContext,
  incoming: Incoming,
  status: EdgeStatus,
  headers: readonly Header[] = [],
): void {
  respond(ctx, incoming, { status, reason: reasonPhrase(status), headers });
}

/** Where responses to this request go: its connection, or what its Via says (RFC 3261 §18.2.2, RFC 3581). */
export function responseDestination(via: Via, flow: Flow): Destination {
  if (!isReliable(flow)) {
    const { address, port } = responseAddress(via);
    return { address: address === flow.peer.address ? flow.peer.address : keptText(address), port };
  }
  return {
    address: flow.peer.address,
    port: via.port ?? defaultPort(flow.transport.kind),
    connection: flow.peer.connection,
  };
}

/** Nothing more will be said: the app's TXN ends, and with a failure the early dialog too. */
function settle(ctx: StackContext, incoming: Incoming, status: number): void {
  incoming.entry.unanswered = null;
  for (const timer of incoming.timers.values()) timer.cancel();
  incoming.timers.clear();
  ctx.transactions.incoming.delete(incoming.txn);
  if (ctx.transactions.invites.get(incoming.dialogId) === incoming) ctx.transactions.invites.delete(incoming.dialogId);
  const { dialog } = incoming;
  incoming.reliable?.stop();
  if (dialog?.theirInvite === incoming) dialog.theirInvite = null;
  if (dialog?.theirUpdate === incoming) dialog.theirUpdate = null;
  if (
    dialog?.state === "early" &&
    dialog.role === "uas" &&
    incoming.request.message.method === "INVITE" &&
    status >= 300
  ) {
    endDialog(ctx, dialog);
  }
}
