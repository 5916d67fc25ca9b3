/**
 * One TCP or TLS listener and the connections made from it (RFC 3261 §18). Responses go back on the connection of their request; requests reuse an
 * open connection to the same address and port, else make one. Started by listeners.ts.
 */
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { messageOf } from "../../kernel/errors.js";
import { MAX_TCP_CONNECTIONS, MAX_TCP_CONNECTIONS_PER_ADDRESS } from "./limits.js";
import { createLocalAddresses, isWildcard, type LocalAddresses } from "./local-address.js";
import { plainAddress } from "./source-filter.js";
import { type ReadyEvent, TcpConnection, type TcpConnectionEvents } from "./tcp-connection.js";
import type { Scheduler } from "./timers.js";
import type { TlsContext } from "./tls-context.js";
import type { Destination, Transport } from "./transport.js";
import type { TransportDeps } from "./transport-udp.js";

export interface TcpDeps extends TransportDeps {
  readonly scheduler: Scheduler;
}

export class TcpTransport implements Transport {
  readonly kind: "tcp" | "tls";
  readonly host: string;
  port: number;
  private readonly deps: TcpDeps;
  private readonly tls: TlsContext | null;
  private readonly server: Server;
  /** What keyOf says → the newest connection with that peer. */
  private readonly byPeer = new Map<string, TcpConnection>();
  private readonly connections = new Set<TcpConnection>();
  private readonly perAddress = new Map<string, number>();
  private readonly events: TcpConnectionEvents;
  private readonly locals: LocalAddresses;
  private isClosed = false;

  /** @param tls null: plain TCP */
  constructor(host: string, port: number, deps: TcpDeps, tls: TlsContext | null = null) {
    this.kind = tls === null ? "tcp" : "tls";
    this.tls = tls;
    this.host = host;
    this.port = port;
    this.deps = deps;
    this.locals = createLocalAddresses(host, deps.clock);
    this.server = createServer((socket) => this.onAccepted(socket));
    this.events = {
      onParsed: (parsed, connection) => this.onParsed(parsed, connection),
      onPing: () => deps.counters.add("keepalives"),
      onClosed: (connection) => this.forget(connection),
    };
  }

  /** Resolves once bound; rejects with the system's error (EADDRINUSE …). */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host: this.host, port: this.port, exclusive: true }, () => {
        this.server.removeListener("error", reject);
        this.server.on("error", (error) => this.deps.log.warn("edge.tcp_error", { message: messageOf(error) }));
        const address = this.server.address();
        if (address !== null && typeof address === "object") this.port = address.port;
        resolve();
      });
    });
  }

  send(message: string, to: Destination, onError: (reason: string) => void): void {
    const fail = (reason: string): void => {
      this.deps.counters.add("transport_errors");
      onError(reason);
    };
    if (this.isClosed) return;
    const connection = this.connectionTo(to);
    if (connection === null) {
      queueMicrotask(() => fail("too many TCP connections"));
      return;
    }
    this.deps.counters.add("messages_sent");
    connection.write(message, fail);
  }

  localHostFor(address: string, done: (host: string) => void): void {
    this.locals.find(address, done);
  }

  async stop(): Promise<void> {
    this.isClosed = true;
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    for (const connection of this.connections) connection.destroy();
    await closed;
  }

  private connectionTo(to: Destination): TcpConnection | null {
    const preferred = to.connection;
    if (preferred instanceof TcpConnection && preferred.isOpen) return preferred;
    const known = this.byPeer.get(keyOf(to));
    if (known?.isOpen === true) return known;
    if (this.connections.size >= MAX_TCP_CONNECTIONS) return null;
    const localAddress = isWildcard(this.host) ? null : this.host;
    if (this.tls !== null) {
      const name = to.name ?? to.address;
      const secured = this.tls.connect({ address: to.address, port: to.port, name, localAddress });
      return this.adopt(secured, to, "secureConnect");
    }
    const socket = createConnection({
      host: to.address,
      port: to.port,
      ...(localAddress === null ? {} : { localAddress }),
    });
    return this.adopt(socket, to, "connect");
  }

  private onAccepted(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? "");
    const port = socket.remotePort;
    if (address === "" || port === undefined || this.deps.sources.verdict(address) === "stranger") {
      this.deps.counters.add("dropped_source");
      socket.destroy();
      return;
    }
    const fromThere = this.perAddress.get(address) ?? 0;
    if (this.connections.size >= MAX_TCP_CONNECTIONS || fromThere >= MAX_TCP_CONNECTIONS_PER_ADDRESS) {
      this.deps.counters.add("dropped_connection_limit");
      socket.destroy();
      return;
    }
    if (this.tls === null) this.adopt(socket, { address, port }, null);
    else this.adopt(this.tls.accept(socket), { address, port }, "secure");
  }

  private adopt(socket: Socket, peer: Destination, readyOn: ReadyEvent): TcpConnection {
    const connection = new TcpConnection(socket, { ...peer, readyOn }, this.deps.scheduler, this.events);
    this.connections.add(connection);
    this.byPeer.set(keyOf(peer), connection);
    this.perAddress.set(peer.address, (this.perAddress.get(peer.address) ?? 0) + 1);
    return connection;
  }

  private forget(connection: TcpConnection): void {
    const key = keyOf(connection);
    this.connections.delete(connection);
    if (this.byPeer.get(key) === connection) this.byPeer.delete(key);
    const left = (this.perAddress.get(connection.address) ?? 1) - 1;
    if (left === 0) this.perAddress.delete(connection.address);
    else this.perAddress.set(connection.address, left);
  }

  private onParsed(parsed: Parameters<TcpDeps["receive"]>[0], connection: TcpConnection): void {
    const verdict = this.deps.sources.verdict(connection.address);
    if (verdict === "stranger") {
      this.deps.counters.add("dropped_source");
      return;
    }
    this.deps.receive(parsed, {
      transport: this,
      localHost: plainAddress(connection.localAddress),
      peer: { address: connection.address, port: connection.port, connection },
      isTrusted: verdict === "trusted",
    });
  }
}

/** A TLS connection was made to one name: another name at the same address is not vouched for by it. */
function keyOf(peer: Destination): string {
  return `${peer.address}|${peer.port}|${peer.name ?? ""}`;
}
