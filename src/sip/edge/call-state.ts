/**
 * What the edge remembers of calls and requests under way: the types alone. dialog-table.ts and transaction-table.ts keep them, dialog-life.ts,
 * incoming.ts and outgoing.ts make and end them.
 */
import type { AppLink } from "./app-link.js";
import type { DialogFacts } from "./dialog.js";
import type { EventName } from "./event-header.js";
import type { InviteClientTransaction } from "./invite-client-transaction.js";
import type { InviteServerTransaction } from "./invite-server-transaction.js";
import type { CheckedRequest } from "./message-check.js";
import type { NonInviteClientTransaction } from "./non-invite-client-transaction.js";
import type { NonInviteServerTransaction } from "./non-invite-server-transaction.js";
import type { ReliableProvisionals } from "./reliable-provisional.js";
import type { RunningSession } from "./session-expires.js";
import type { Header, SipRequest } from "./sip-message.js";
import type { Timer } from "./timers.js";
import type { Flow } from "./transport.js";
import type { UasAnswer } from "./uas-answer.js";
import type { Via } from "./via.js";

export interface Dialog extends DialogFacts {
  /** `<Call-ID>;from-tag=<From tag of the first INVITE>`: how frames name it, the same for its whole life. */
  readonly id: string;
  readonly role: "uas" | "uac";
  /** `early` until a 2xx; `ended` once out of the table, whoever still holds it. */
  state: "early" | "confirmed" | "ended";
  readonly app: AppLink;
  /** How the peer is reached when its Contact cannot be (NAT, a TCP client): as it was first heard, or since that connection closed, last. */
  flow: Flow;
  /** Our Contact as last sent to this peer. */
  localContact: string;
  readonly startedAtMs: number;
  /** Our 2xx answers the peer has not acknowledged, by CSeq number. */
  readonly awaitingAck: Map<number, UasAnswer>;
  /** Run once `awaitingAck` is empty: a callee must not send BYE before (RFC 3261 §15). */
  readonly whenAcked: (() => void)[];
  /** 2xx answers of the peer that the app has not acknowledged yet, oldest first. */
  readonly toAck: SentInvite[];
  /** Of the last INVITE that we gave reliable provisional answers: PRACKs name them. Null when there were none. */
  reliable: ReliableProvisionals | null;
  /** INVITE transactions of either side inside the dialog: §14.1 allows one at a time. */
  ourInvite: Outgoing | null;
  theirInvite: Incoming | null;
  /** An UPDATE with SDP of our app, or a refresh of our own: no second offer meanwhile (RFC 3311 §5.1). */
  ourUpdate: boolean;
  theirUpdate: Incoming | null;
  /** The session timer (RFC 4028); null when none was agreed. */
  session: RunningSession | null;
  /** SDP as this side last said it, "" before the first: what a session refresh repeats. */
  localSdp: string;
  /** Of a dialog that a SUBSCRIBE or REFER began: what is subscribed, by event; it ends with the last. Null for a call. */
  subscriptions: Map<string, Subscription> | null;
  /** Addresses this dialog keeps admitted → what ends that (source-filter.ts). */
  readonly held: Map<string, () => void>;
}

/** `cancel`: the app had cancelled when the 2xx came. `no_contact`: srf acknowledges an answer without Contact and forgets it. */
export type AfterAck = "cancel" | "no_contact";

/** An INVITE of ours that was answered with a 2xx: what its ACK needs, and the ACK itself once it was sent. */
export interface SentInvite {
  readonly cseq: number;
  /** The ACK carries the INVITE's (RFC 3261 §13.2.2.4). */
  readonly credentials: readonly Header[];
  ack: { readonly text: string; readonly flow: Flow } | null;
  /** Not null: hang up as soon as it is acknowledged, and why. */
  byeAfterAck: AfterAck | null;
  /** Ends an answer that the app never acknowledges. */
  timer: Timer | null;
}

export interface Subscription {
  readonly event: EventName;
  /** As last agreed. */
  readonly seconds: number;
  /** False while a subscriber waits for the first NOTIFY. */
  readonly isNotified: boolean;
  /** Ends it when nobody prolongs it. */
  readonly timer: Timer;
}

/** A NOTIFY that came before the answer to its SUBSCRIBE. */
export interface HeldNotify {
  readonly request: CheckedRequest;
  readonly flow: Flow;
}

/** A server transaction in the table; it outlives its request by up to 64*T1, holding no more than this. */
export interface ServerEntry {
  readonly machine: InviteServerTransaction | NonInviteServerTransaction;
  /** Null once a final answer was given. */
  unanswered: Incoming | null;
  /** The To tag of our answers; the app may choose it until one has gone out. */
  localTag: string;
}

/** A request from the network without a final answer. */
export interface Incoming {
  /** UUID that the app knows the transaction by. */
  readonly txn: string;
  readonly request: CheckedRequest;
  /** The top Via with `received` and `rport`. */
  readonly via: Via;
  readonly flow: Flow;
  readonly entry: ServerEntry;
  readonly dialogId: string;
  isTagSent: boolean;
  /** Who was told about it; null while (or because) nobody was. */
  app: AppLink | null;
  dialog: Dialog | null;
  /** The app has sent something about it. */
  isClaimed: boolean;
  /** Set while the edge relays the request as a proxy: how to cancel that. No app has it then. */
  proxy: { cancel(): void } | null;
  /** Its reliable provisional answers (RFC 3262); null before the first. */
  reliable: ReliableProvisionals | null;
  /** Watchdog, longest ringing, repeated 1xx. */
  readonly timers: Map<"silent" | "ringing" | "repeat", Timer>;
}

/** A request of ours, kept by TXN until its final answer. */
export interface Outgoing {
  readonly txn: string;
  readonly app: AppLink;
  /** As sent, Via included. */
  readonly request: SipRequest;
  readonly branch: string;
  readonly flow: Flow;
  readonly machine: InviteClientTransaction | NonInviteClientTransaction;
  readonly dialogId: string;
  cancel: "no" | "held" | "sent";
  /** What a held CANCEL does once a 1xx allows it (§9.1), or when the final answer comes first. */
  heldCancel: { readonly send: () => void; readonly drop: () => void } | null;
  /** The app is gone or was told that it is over: a late 2xx is acknowledged and hung up. */
  isAbandoned: boolean;
  ringing: Timer | null;
}
