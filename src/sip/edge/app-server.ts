/** The admin port: accepts apps (drachtio-srf in inbound mode) and keeps the set of their connections. Started by SipEdge. */
import { createServer, type Server, type Socket } from "node:net";
import { messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import { AppConnection, type AppConnectionDeps } from "./app-connection.js";
import { MAX_APP_CONNECTIONS } from "./limits.js";
import { bindError } from "./listeners.js";

export class AppServer {
  private readonly server: Server;
  private readonly deps: AppConnectionDeps;
  private readonly log: Log;
  private readonly connections = new Set<AppConnection>();

  constructor(deps: AppConnectionDeps, log: Log) {
    this.log = log;
    this.deps = {
      ...deps,
      onClosed: (connection, wasReady, reason) => {
        this.connections.delete(connection);
        deps.onClosed(connection, wasReady, reason);
      },
    };
    this.server = createServer((socket) => this.onAccepted(socket));
  }

  /** Resolves with the real port. Throws AppError address_taken naming the address. */
  start(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once("error", (cause) => reject(bindError(`The SIP edge's admin address ${host}:${port}`, cause)));
      this.server.listen({ host, port, exclusive: true }, () => {
        this.server.removeAllListeners("error");
        this.server.on("error", (error) => this.log.warn("edge.admin_error", { message: messageOf(error) }));
        const address = this.server.address();
        resolve(address !== null && typeof address === "object" ? address.port : port);
      });
    });
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    for (const connection of this.connections) connection.destroy("the edge is stopping");
    await closed;
  }

  private onAccepted(socket: Socket): void {
    if (this.connections.size >= MAX_APP_CONNECTIONS) {
      this.deps.count("dropped_connection_limit");
      socket.destroy();
      return;
    }
    this.connections.add(new AppConnection(socket, this.deps));
  }
}
