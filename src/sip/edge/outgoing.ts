/** A request of ours and its client transaction: Via, machine, table, failures. Knows nothing of apps; outbound code gives it handlers. */
import type { StackContext } from "./edge-context.js";
import { InviteClientTransaction } from "./invite-client-transaction.js";
import { MAX_CLIENT_TRANSACTIONS } from "./limits.js";
import type { CheckedResponse } from "./message-check.js";
import { NonInviteClientTransaction } from "./non-invite-client-transaction.js";
import { formatHost } from "./sip-uri.js";
import { header, headerValue, headerValues, type SipRequest } from "./sip-message.js";
import { writeHopByHop, writeMessage } from "./sip-writer.js";
import { clientKey } from "./transaction-table.js";
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
  const { branch, flow } = what;
  const isInvite = what.request.method === "INVITE";
  const key = clientKey(branch, what.request.method);
  const release = ctx.sources.hold(flow.peer.address);
  // Let go of after the final answer: the machine lives 32 s longer, and at full load there are tens of thousands.
  let request: SipRequest | null = what.request;
  const io = {
    send: (message: string): void => flow.transport.send(message, flow.peer, () => onTransportError()),
    onResponse: (response: CheckedResponse): void => {
      if (response.message.status >= 200) request = null;
      handlers.onResponse(response);
    },
    onTimeout: (): void => handlers.onFailed(408),
    onTerminated: (): void => {
      clients.delete(key);
      ctx.transactions.relays.delete(key);
      release();
    },
    makeAck: (response: CheckedResponse): string =>
      request === null ? "" : writeHopByHop(request, "ACK", headerValue(response.message.headers, "to") ?? ""),
  };
  const setting = { timers: ctx.timers, scheduler: ctx.scheduler, reliable: isReliable(flow) };
  const machine = isInvite
    ? new InviteClientTransaction(what.text, setting, io)
    : new NonInviteClientTransaction(what.text, setting, io);
  const onTransportError = (): void => {
    // Once somebody answered, one lost retransmission or ACK is repaired by the next.
    if (machine.state !== "calling" && machine.state !== "trying") return;
    handlers.onFailed(503);
    machine.terminate();
  };
  clients.set(key, machine);
  if (headerValues(what.request.headers, "via").length > 1) ctx.transactions.relays.add(key);
  machine.start();
  return machine;
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
  return { ...request, headers: [via, ...request.headers] };
}

/** 128 random bits: unique over space and time (RFC 3261 §8.1.1.7), and nobody can guess it to forge an answer. */
function newBranch(ctx: StackContext): string {
  return `${MAGIC_COOKIE}${ctx.random.bytes(16).toString("hex")}`;
}
