/**
 * The transactions under way, by the keys of RFC 3261 §17.1.3 and §17.2.3, and the requests still unanswered, by the TXN that the app knows them
 * by. A transaction outlives its request by up to 64*T1; only the machine and its key stay then.
 */
import type { HeldNotify, Incoming, Outgoing, ServerEntry } from "./call-state.js";
import type { InviteClientTransaction } from "./invite-client-transaction.js";
import type { CheckedRequest } from "./message-check.js";
import type { NonInviteClientTransaction } from "./non-invite-client-transaction.js";
import { formatVia, MAGIC_COOKIE } from "./via.js";

export interface TransactionTable {
  readonly servers: Map<string, ServerEntry>;
  readonly clients: Map<string, InviteClientTransaction | NonInviteClientTransaction>;
  /** Keys in `clients` of requests that we only relay: their responses carry further Vias. */
  readonly relays: Set<string>;
  readonly incoming: Map<string, Incoming>;
  readonly outgoing: Map<string, Outgoing>;
  /** Unanswered INVITEs that would make a dialog, by that dialog's id: a second one is a merged request (§8.2.2.2). */
  readonly invites: Map<string, Incoming>;
  /** SUBSCRIBEs of ours without a final answer, by the id of the dialog they would make → NOTIFYs that came first. */
  readonly subscribing: Map<string, HeldNotify[]>;
}

export function createTransactionTable(): TransactionTable {
  return {
    servers: new Map(),
    clients: new Map(),
    relays: new Set(),
    incoming: new Map(),
    outgoing: new Map(),
    invites: new Map(),
    subscribing: new Map(),
  };
}

/** @param method of the transaction looked for: an ACK or CANCEL looks for INVITE's */
export function serverKey(request: CheckedRequest, method: string): string {
  const { via } = request;
  const branch = via.params.get("branch") ?? "";
  if (branch.startsWith(MAGIC_COOKIE) && branch.length > MAGIC_COOKIE.length) {
    return `${branch}|${via.host}:${via.port ?? ""}|${method}`;
  }
  // RFC 2543 peers: the fields that a retransmission, an ACK and a CANCEL have in common.
  const { cseq, callId, fromTag, message } = request;
  return `${message.uri}|${callId}|${cseq.number}|${fromTag ?? ""}|${formatVia(via)}|${method}`;
}

export function clientKey(branch: string, method: string): string {
  return `${branch}|${method}`;
}
