/** Messages that belong to a transaction under way (RFC 3261 §17.1.3, §17.2.3). First question about every message, here and in the phone. */
import type { StackContext } from "./edge-context.js";
import { InviteServerTransaction } from "./invite-server-transaction.js";
import { type CheckedRequest, checkResponse } from "./message-check.js";
import type { SipResponse } from "./sip-message.js";
import type { Problem } from "./sip-parser.js";
import { clientKey, serverKey } from "./transaction-table.js";

/** Gives the response to its transaction, or counts it as malformed or stray. */
export function matchResponse(ctx: StackContext, message: SipResponse, problem: Problem | null): void {
  const response = problem === null ? checkResponse(message) : null;
  if (response === null) return ctx.counters.add("malformed");
  const key = clientKey(response.via.params.get("branch") ?? "", response.cseq.method);
  // RFC 3261 §8.1.3.3: a UA that finds a second Via got somebody else's response.
  if (response.viasBelow.length > 0 && !ctx.transactions.relays.has(key)) return ctx.counters.add("malformed");
  const machine = ctx.transactions.clients.get(key);
  if (machine === undefined) return ctx.counters.add("dropped_stray_response");
  machine.receive(response);
}

/**
 * @returns true when it was a retransmission or the ACK of a failure answer, which its transaction has dealt with; the ACK of a 2xx is none of a
 * transaction's business
 */
export function matchRequest(ctx: StackContext, request: CheckedRequest): boolean {
  const { method } = request.message;
  const entry = ctx.transactions.servers.get(serverKey(request, method === "ACK" ? "INVITE" : method));
  if (entry === undefined) return false;
  if (method !== "ACK") {
    ctx.counters.add("retransmissions_absorbed");
    entry.machine.receiveRetransmission();
    return true;
  }
  if (!(entry.machine instanceof InviteServerTransaction) || entry.machine.state === "accepted") return false;
  entry.machine.receiveAck();
  return true;
}
