/** A loopback TCP proxy in front of a real server, so that a test can take the server away from one client and give it back. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class CuttableProxy {
  private readonly sockets = new Set<Socket>();
  private state: "open" | "cut" | "hanging" = "open";

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  /** @param url of the server behind, e.g. postgres://user:password@127.0.0.1:5433/db */
  static async start(url: string): Promise<CuttableProxy> {
    const server = createServer();
    const proxy = new CuttableProxy(server, new URL(url));
    server.on("connection", (socket) => proxy.accept(socket));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return proxy;
  }

  /** The server's URL by way of this proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = "127.0.0.1";
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** Every connection breaks, new ones are refused. */
  cut(): void {
    this.state = "cut";
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Connections stay and nothing comes through any more, as when a server freezes or a firewall forgets. */
  hang(): void {
    this.state = "hanging";
    for (const socket of this.sockets) socket.pause();
  }

  /** As a firewall does: nothing comes through what is open now, and nobody is told. New connections pass. */
  forget(): void {
    for (const socket of this.sockets) socket.pause();
  }

  restore(): void {
    this.state = "open";
    for (const socket of this.sockets) socket.resume();
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((closed) => this.server.close(() => closed()));
  }

  private accept(client: Socket): void {
    if (this.state === "cut") return void client.resetAndDestroy();
    const server = connect(Number(this.target.port), this.target.hostname);
    this.join(client, server);
    this.join(server, client);
    if (this.state === "hanging") this.hang();
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on("data", (bytes) => to.write(bytes));
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.sockets.delete(from);
      to.end();
    });
  }
}
