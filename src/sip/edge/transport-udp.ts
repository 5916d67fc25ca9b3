/**
 * One UDP listener. Started by listeners.ts. Drops strangers before parsing, asks the kernel for a large receive buffer, and never throws for
 * what arrives. Messages above the path MTU are sent as they are: RFC 3261 §18.1.1 would switch to TCP, but carriers that speak UDP mostly do
 * not listen on TCP, and IP fragments arrive.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import type { Clock } from "../../kernel/clock.js";
import { messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { Counters } from "./counters.js";
import { UDP_RECEIVE_BUFFER_BYTES } from "./limits.js";
import { createLocalAddresses, type LocalAddresses } from "./local-address.js";
import { parseDatagram } from "./sip-parser.js";
import { plainAddress, type SourceFilter } from "./source-filter.js";
import type { Destination, Receive, Transport } from "./transport.js";

export interface TransportDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
  readonly sources: SourceFilter;
  readonly receive: Receive;
}

export class UdpTransport implements Transport {
  readonly kind = "udp";
  readonly host: string;
  port: number;
  private readonly deps: TransportDeps;
  private readonly socket: Socket;
  private readonly locals: LocalAddresses;
  /** Sending on a closed socket would throw; a name look-up may still end after stop(). */
  private isClosed = false;

  constructor(host: string, port: number, deps: TransportDeps) {
    this.host = host;
    this.port = port;
    this.deps = deps;
    this.locals = createLocalAddresses(host, deps.clock);
    this.socket = createSocket({ type: isIP(host) === 6 ? "udp6" : "udp4", lookup: literalLookup });
    this.socket.on("message", (data, source) => this.onDatagram(data, source));
  }

  /** Resolves once bound; rejects with the system's error (EADDRINUSE …). */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once("error", reject);
      this.socket.bind({ address: this.host, port: this.port, exclusive: true }, () => {
        this.socket.removeListener("error", reject);
        this.socket.on("error", (error) => this.deps.log.warn("edge.udp_error", { message: messageOf(error) }));
        this.port = this.socket.address().port;
        this.askForBuffer();
        resolve();
      });
    });
  }

  send(message: string, to: Destination, onError: (reason: string) => void): void {
    if (this.isClosed) return;
    this.deps.counters.add("messages_sent");
    this.socket.send(Buffer.from(message, "latin1"), to.port, to.address, (error) => {
      if (error === null) return;
      this.deps.counters.add("transport_errors");
      onError(messageOf(error));
    });
  }

  localHostFor(address: string, done: (host: string) => void): void {
    this.locals.find(address, done);
  }

  stop(): Promise<void> {
    this.isClosed = true;
    return new Promise((resolve) => {
      this.socket.close(() => resolve());
    });
  }

  private onDatagram(data: Buffer, source: RemoteInfo): void {
    const address = plainAddress(source.address);
    const verdict = this.deps.sources.verdict(address);
    if (verdict === "stranger") {
      this.deps.counters.add("dropped_source");
      return;
    }
    const parsed = parseDatagram(data.toString("latin1"));
    const peer = { address, port: source.port };
    this.locals.find(address, (localHost) =>
      this.deps.receive(parsed, { transport: this, localHost, peer, isTrusted: verdict === "trusted" }),
    );
  }

  /** Best effort: the kernel grants at most net.core.rmem_max, and a container may refuse altogether. */
  private askForBuffer(): void {
    try {
      this.socket.setRecvBufferSize(UDP_RECEIVE_BUFFER_BYTES);
    } catch (error) {
      this.deps.log.warn("edge.udp_buffer_refused", { message: messageOf(error) });
    }
  }
}

/**
 * Destinations are always addresses, so no send waits for a name look-up (or for the tick that node's look-up of a literal costs). The socket of `[::]` hears
 * IPv4 as well, and reaches it under mapped addresses alone (RFC 3493 §3.7).
 */
function literalLookup(
  address: string,
  family: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  if (family !== 6) done(null, address, 4);
  else done(null, address.includes(":") ? address : `::ffff:${address}`, 6);
}
