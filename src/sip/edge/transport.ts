/** What inbound and outbound code knows of a transport: addresses, one way to send, nothing of sockets. */
import type { Parsed } from "./sip-parser.js";

export type TransportKind = "udp" | "tcp" | "tls";

/** Where the edge listens. Port 0 lets the system choose. */
export interface SipListen {
  readonly transport: TransportKind;
  readonly host: string;
  readonly port: number;
}

export interface Destination {
  readonly address: string;
  readonly port: number;
  /** TLS only: the host of the URI that led here, for which the certificate must be valid. Without it, the address. */
  readonly name?: string | undefined;
  /** TCP and TLS: the connection to use while it is open, whatever address and port say (RFC 3261 §18.2.2). */
  readonly connection?: Connection | undefined;
}

export interface Connection {
  readonly isOpen: boolean;
}

export interface Transport {
  readonly kind: TransportKind;
  /** As bound; may be a wildcard address. */
  readonly host: string;
  /** The real port. */
  readonly port: number;
  /** `onError` is called at most once, never before send returns, and only when the message certainly did not leave. */
  send(message: string, to: Destination, onError: (reason: string) => void): void;
  /** Our address as this peer sees it; `done` is called at once where it is known, in the order of the questions otherwise. */
  localHostFor(address: string, done: (host: string) => void): void;
  stop(): Promise<void>;
}

/** One way between this edge and a peer, in both directions. */
export interface Flow {
  readonly transport: Transport;
  /** Our own address as this peer sees it: what goes into Via and Contact. */
  readonly localHost: string;
  readonly peer: Destination;
  /** From inside the allowed CIDRs; a flow that is not may only use what exists (source-filter.ts). */
  readonly isTrusted: boolean;
}

export type Receive = (parsed: Parsed, flow: Flow) => void;

/** RFC 3261 §17: over a reliable transport, requests and failure answers are not retransmitted. */
export function isReliable(flow: Flow): boolean {
  return flow.transport.kind !== "udp";
}
