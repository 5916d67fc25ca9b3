/** A request of ours and its client transaction: Via, machine, table, failures. Knows nothing of apps; outbound code gives it handlers. */
import type { StackContext } from "./edge-context.js";
import { InviteClientTransaction, type InviteClientIo } from "./invite-client-transaction.js";
import { keptText } from "./kept-text.js";
import { MAX_CLIENT_TRANSACTIONS } from "./limits.js";
import type { CheckedResponse } from "./message-check.js";
import { NonInviteClientTransaction } from "./non-invite-client-transaction.js";
import { formatHost } from "./sip-uri.js";
import { header, headerValue, headerValues, type SipRequest } from "./sip-message.js";
import { writeHopByHop, writeMessage } from "./sip-writer.js";
import { clientKey, type TransactionTable } from "./transaction-table.js";
import { type Flow, isReliable } from "./transport.js";
import { MAGIC_COOKIE } from "./via.js";

export interface RequestHandlers {
  /** As the transaction passes them up: every 1xx, the first failure, for INVITE every 2xx. */
  onResponse(response: CheckedResponse): void;
  /** Without any answer: 408 after timer B or F, 503 when the transport failed (RFC 3261 §8.1.3.1). Called at most once, and last. */
  onFailed(status: 408 | 503): void;
}

export interface Started {
  /** With its Via. */
  readonly request: SipRequest;
  readonly text: string;
  readonly branch: string;
  readonly machine: InviteClientTransaction | NonInviteClientTransaction;
}

/** @param request complete but for its Via. Null when the edge has as many client transactions as it may. */
export function startRequest(
  ctx: StackContext,
  request: SipRequest,
  flow: Flow,
  handlers: RequestHandlers,
): Started | null {
  const branch = newBranch(ctx);
  const withVia = addVia(request, flow, branch);
  const text = writeMessage(withVia);
  const machine = startMachine(ctx, { request: withVia, text, branch, flow }, handlers);
  return machine === null ? null : { request: withVia, text, branch, machine };
}

export interface ToStart {
  readonly request: SipRequest;
  readonly text: string;
  readonly branch: string;
  readonly flow: Flow;
}

/** For a CANCEL, whose Via is the INVITE's. */
export function startMachine(
  ctx: StackContext,
  what: ToStart,
  handlers: RequestHandlers,
): InviteClientTransaction | NonInviteClientTransaction | null {
  const { clients } = ctx.transactions;
  if (clients.size >= MAX_CLIENT_TRANSACTIONS) return null;
  const key = keptText(clientKey(what.branch, what.request.method));
  const io = new ClientIo(ctx, key, what, handlers);
  const setting = { timers: ctx.timers, scheduler: ctx.scheduler, reliable: isReliable(what.flow) };
  const machine =
    what.request.method === "INVITE"
      ? new InviteClientTransaction(what.text, setting, io)
      : new NonInviteClientTransaction(what.text, setting, io);
  io.machine = machine;
  clients.set(key, machine);
  if (headerValues(what.request.headers, "via").length > 1) ctx.transactions.relays.add(key);
  machine.start();
  return machine;
}

/**
 * What stays of a request for up to 64*T1 after its final answer, tens of thousands of times at full load: so it is no closure, and lets go of the
 * message and of whoever sent it as soon as it can.
 */
class ClientIo implements InviteClientIo {
  machine: InviteClientTransaction | NonInviteClientTransaction | null = null;
  private readonly transactions: TransactionTable;
  private readonly key: string;
  private readonly flow: Flow;
  private readonly release: () => void;
  /** Null after the final answer. */
  private request: SipRequest | null;
  /** Null after a final answer that none can follow: only an INVITE is answered by several 2xx. */
  private handlers: RequestHandlers | null;

  constructor(ctx: StackContext, key: string, what: ToStart, handlers: RequestHandlers) {
    this.transactions = ctx.transactions;
    this.key = key;
    this.flow = what.flow;
    this.release = ctx.sources.hold(what.flow.peer.address);
    this.request = what.request;
    this.handlers = handlers;
  }

  send(message: string): void {
    this.flow.transport.send(message, this.flow.peer, () => this.onTransportError());
  }

  onResponse(response: CheckedResponse): void {
    const { handlers } = this;
    const { status } = response.message;
    if (status >= 200) {
      this.request = null;
      if (status >= 300 || !(this.machine instanceof InviteClientTransaction)) this.handlers = null;
    }
    handlers?.onResponse(response);
  }

  onTimeout(): void {
    this.handlers?.onFailed(408);
  }

  onTerminated(): void {
    this.transactions.clients.delete(this.key);
    this.transactions.relays.delete(this.key);
    this.release();
  }

  makeAck(response: CheckedResponse): string {
    return this.request === null
      ? ""
      : writeHopByHop(this.request, "ACK", headerValue(response.message.headers, "to") ?? "");
  }

  /** Once somebody answered, one lost retransmission or ACK is repaired by the next. */
  private onTransportError(): void {
    const { machine } = this;
    if (machine === null || (machine.state !== "calling" && machine.state !== "trying")) return;
    this.handlers?.onFailed(503);
    machine.terminate();
  }
}

/** Outside any transaction: the ACK of a 2xx. */
export function sendWithVia(ctx: StackContext, request: SipRequest, flow: Flow): string {
  const text = writeMessage(addVia(request, flow, newBranch(ctx)));
  sendText(flow, text);
  return text;
}

export function sendText(flow: Flow, text: string): void {
  flow.transport.send(text, flow.peer, () => undefined);
}

function addVia(request: SipRequest, flow: Flow, branch: string): SipRequest {
  const sentBy = `${formatHost(flow.localHost)}:${flow.transport.port}`;
  const via = header("Via", `SIP/2.0/${flow.transport.kind.toUpperCase()} ${sentBy};rport;branch=${branch}`);
  const { kind, method, uri, body } = request;
  return { kind, method, uri, headers: [via, ...request.headers], body };
}

/** 128 random bits: unique over space and time (RFC 3261 §8.1.1.7), and nobody can guess it to forge an answer. */
function newBranch(ctx: StackContext): string {
  return `${MAGIC_COOKIE}${ctx.random.bytes(16).toString("hex")}`;
}
