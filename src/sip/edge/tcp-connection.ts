/**
 * One TCP or TLS connection with a SIP peer, accepted or made by us. Owned by transport-tcp.ts. Bounded everywhere: bytes waiting to be sent, time for
 * a message to become complete, time without a byte.
 */
import type { Socket } from "node:net";
import { messageOf } from "../../kernel/errors.js";
import { TCP_CONNECT_MS, TCP_IDLE_MS, TCP_LINGER_MS, TCP_MESSAGE_MS, TCP_WRITE_BUFFER_BYTES } from "./limits.js";
import type { Parsed } from "./sip-parser.js";
import { createStreamFramer, type StreamEvent, type StreamFramer } from "./stream-framing.js";
import type { Scheduler, Timer } from "./timers.js";
import type { Connection } from "./transport.js";

/** The socket's event after which it can be used: connected, or secured. Null: it can be used now. */
export type ReadyEvent = "connect" | "secureConnect" | "secure" | null;

export interface TcpConnectionEvents {
  onParsed(parsed: Parsed, connection: TcpConnection): void;
  onPing(): void;
  onClosed(connection: TcpConnection): void;
}

export class TcpConnection implements Connection {
  readonly address: string;
  readonly port: number;
  readonly name: string | undefined;
  private readonly socket: Socket;
  private readonly scheduler: Scheduler;
  private readonly events: TcpConnectionEvents;
  private readonly framer: StreamFramer = createStreamFramer();
  private messageTimer: Timer | null = null;
  private connectTimer: Timer | null = null;
  /** What is to be sent once the peer's certificate was found good; null when nothing is held back. */
  private held: { readonly message: string; readonly onError: (reason: string) => void }[] | null = null;
  private heldBytes = 0;

  /** @param socket connected, or connecting to address and port until `readyOn` */
  constructor(
    socket: Socket,
    peer: {
      readonly address: string;
      readonly port: number;
      readonly name?: string | undefined;
      readonly readyOn: ReadyEvent;
    },
    scheduler: Scheduler,
    events: TcpConnectionEvents,
  ) {
    this.socket = socket;
    this.address = peer.address;
    this.port = peer.port;
    this.name = peer.name;
    this.scheduler = scheduler;
    this.events = events;
    socket.setNoDelay(true);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    if (peer.readyOn !== null) {
      this.connectTimer = scheduler.after(TCP_CONNECT_MS, () => socket.destroy(new Error("connecting took too long")));
      if (peer.readyOn !== "connect") this.held = [];
      socket.once(peer.readyOn, () => this.onReady());
    }
    socket.on("data", (chunk: Buffer) => this.onData(chunk));
    // "close" follows every error, and tells those whose bytes were not sent.
    socket.on("error", () => undefined);
    socket.once("end", () => socket.end());
    socket.once("close", () => this.onClose());
  }

  get isOpen(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  get localAddress(): string {
    return this.socket.localAddress ?? "";
  }

  write(message: string, onError: (reason: string) => void): void {
    if (this.socket.writableLength + this.heldBytes + message.length > TCP_WRITE_BUFFER_BYTES) {
      this.socket.destroy(new Error("the peer does not read"));
      queueMicrotask(() => onError("the peer does not read"));
      return;
    }
    if (this.held !== null) {
      this.held.push({ message, onError });
      this.heldBytes += message.length;
      return;
    }
    this.socket.write(message, "latin1", (error) => {
      if (error) onError(messageOf(error));
    });
  }

  /** Ends after what was written has gone out; a peer that keeps its side open is cut off. */
  end(): void {
    this.socket.end();
    this.scheduler.after(TCP_LINGER_MS, () => this.socket.destroy());
  }

  destroy(): void {
    this.socket.destroy();
  }

  private onData(chunk: Buffer): void {
    for (const event of this.framer.push(chunk.toString("latin1"))) this.onEvent(event);
    if (!this.framer.isPartial()) {
      this.messageTimer?.cancel();
      this.messageTimer = null;
    } else {
      this.messageTimer ??= this.scheduler.after(TCP_MESSAGE_MS, () => this.socket.destroy());
    }
  }

  private onEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "parsed":
        this.events.onParsed(event.parsed, this);
        // A finished message restarts the clock of the next one.
        this.messageTimer?.cancel();
        this.messageTimer = null;
        return;
      case "ping":
        this.events.onPing();
        this.write("\r\n", () => undefined);
        return;
      case "broken":
        this.events.onParsed(event.parsed, this);
        this.end();
        return;
    }
  }

  private onReady(): void {
    this.connectTimer?.cancel();
    const waiting = this.held ?? [];
    this.held = null;
    this.heldBytes = 0;
    for (const { message, onError } of waiting) this.write(message, onError);
  }

  private onClose(): void {
    for (const { onError } of this.held?.splice(0) ?? []) onError("no connection");
    this.messageTimer?.cancel();
    this.connectTimer?.cancel();
    this.events.onClosed(this);
  }
}
