/**
 * One app (drachtio-srf) connected to the admin port. Checks the secret before anything else, which drachtio-server does not; keeps the verbs the
 * app wants; hands `sip` and `proxy` messages on. Owned by app-server.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { createFrameDecoder, encodeFrame, type FrameDecoder } from "./app-framing.js";
import type { AppLink } from "./app-link.js";
import {
  type AppCommand,
  failedFrame,
  okFrame,
  parseAppFrame,
  type ProxyCommand,
  type SipCommand,
} from "./app-protocol.js";
import type { CounterName } from "./counters.js";
import {
  APP_AUTHENTICATE_MS,
  APP_CONGESTED_BYTES,
  APP_WRITE_BUFFER_BYTES,
  MAX_APP_VERB_BYTES,
  MAX_APP_VERBS,
} from "./limits.js";
import type { Scheduler, Timer } from "./timers.js";

export interface AppConnectionDeps {
  readonly scheduler: Scheduler;
  readonly secret: string;
  /** Answer to a right secret: our addresses, a version that srf compares (`v0.8.2` and later may ping), the local addresses. */
  greeting(): readonly [hostports: string, version: string, localHostports: string];
  uuid(): string;
  count(name: CounterName): void;
  onReady(connection: AppConnection): void;
  onSip(connection: AppConnection, command: SipCommand): void;
  onProxy(connection: AppConnection, command: ProxyCommand): void;
  /** Called once, after a close for whatever reason. */
  onClosed(connection: AppConnection, wasReady: boolean, reason: string): void;
}

export class AppConnection implements AppLink {
  readonly verbs = new Set<string>();
  private readonly socket: Socket;
  private readonly deps: AppConnectionDeps;
  private readonly decoder: FrameDecoder = createFrameDecoder();
  private readonly authenticateTimer: Timer;
  private isAuthenticated = false;
  private isEnding = false;
  private reason = "the app closed the connection";
  /** Frames of this turn of the event loop. */
  private unsent: string[] = [];
  private unsentBytes = 0;
  private flush: NodeJS.Immediate | null = null;

  constructor(socket: Socket, deps: AppConnectionDeps) {
    this.socket = socket;
    this.deps = deps;
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    this.authenticateTimer = deps.scheduler.after(APP_AUTHENTICATE_MS, () => this.destroy("no authenticate in time"));
    socket.on("data", (chunk: Buffer) => this.onData(chunk));
    socket.on("error", (error) => {
      this.reason = error.message;
    });
    socket.once("close", () => this.onClose());
  }

  get isOpen(): boolean {
    return this.isAuthenticated && !this.isEnding && this.socket.writable;
  }

  get isCongested(): boolean {
    return this.buffered > APP_CONGESTED_BYTES;
  }

  send(payload: string): void {
    if (!this.socket.writable) return;
    if (this.buffered > APP_WRITE_BUFFER_BYTES) {
      this.destroy("the app does not read");
      return;
    }
    const frame = encodeFrame(payload);
    this.unsentBytes += frame.length;
    if (this.unsent.push(frame) === 1) this.flush = setImmediate(() => this.flushNow());
  }

  destroy(reason: string): void {
    this.reason = reason;
    this.isEnding = true;
    this.socket.destroy();
  }

  /** Frames of one turn of the event loop leave in one write: the system call costs more than making a frame. */
  private flushNow(): void {
    if (this.flush !== null) clearImmediate(this.flush);
    this.flush = null;
    const text = this.unsent.join("");
    this.unsent = [];
    this.unsentBytes = 0;
    if (text !== "" && this.socket.writable) this.socket.write(text, "latin1");
  }

  private get buffered(): number {
    return this.socket.writableLength + this.unsentBytes;
  }

  private onData(chunk: Buffer): void {
    const outcome = this.decoder.push(chunk.toString("latin1"));
    for (const payload of outcome.payloads) {
      if (this.isEnding) return;
      this.deps.count("app_frames");
      this.onCommand(parseAppFrame(payload));
    }
    if (outcome.kind === "broken" && !this.isEnding) {
      this.deps.count("app_bad_frames");
      this.destroy(outcome.reason);
    }
  }

  private onCommand(command: AppCommand): void {
    if (command.kind === "authenticate") return this.authenticate(command);
    if (!this.isAuthenticated) {
      this.deps.count("app_auth_failures");
      return this.refuse(command.msgId, "not authenticated");
    }
    switch (command.kind) {
      case "route":
        return this.route(command.msgId, command.verb);
      case "remove_route":
        // Only that verb; drachtio-server forgets all of them.
        this.verbs.delete(command.verb);
        return this.ok(command.msgId);
      case "ping":
        return this.ok(command.msgId, "pong");
      case "sip":
        return this.deps.onSip(this, command);
      case "proxy":
        return this.deps.onProxy(this, command);
      case "unknown":
        this.deps.count("app_bad_frames");
        return this.refuse(command.msgId, "Unknown message type");
    }
  }

  private authenticate(command: Extract<AppCommand, { kind: "authenticate" }>): void {
    if (this.isAuthenticated) return this.ok(command.msgId, ...this.deps.greeting());
    if (!isSame(command.secret, this.deps.secret)) {
      this.deps.count("app_auth_failures");
      return this.refuse(command.msgId, "incorrect secret");
    }
    this.isAuthenticated = true;
    this.authenticateTimer.cancel();
    this.ok(command.msgId, ...this.deps.greeting());
    this.deps.onReady(this);
  }

  private route(msgId: string, verb: string): void {
    if (verb === "" || verb.length > MAX_APP_VERB_BYTES || this.verbs.size >= MAX_APP_VERBS) {
      this.send(failedFrame(this.deps.uuid(), msgId, "NO", "invalid verb"));
      return;
    }
    // srf sends every verb again with each one it adds: a set keeps the round robin fair.
    this.verbs.add(verb);
    this.ok(msgId);
  }

  private ok(msgId: string, ...parts: readonly string[]): void {
    this.send(okFrame(this.deps.uuid(), msgId, ...parts));
  }

  /** NO, then the connection ends: a stranger, or an app that speaks another protocol. */
  private refuse(msgId: string, reason: string): void {
    this.send(failedFrame(this.deps.uuid(), msgId, "NO", reason));
    this.reason = reason;
    this.isEnding = true;
    this.flushNow();
    this.socket.destroySoon();
  }

  private onClose(): void {
    this.authenticateTimer.cancel();
    if (this.flush !== null) clearImmediate(this.flush);
    this.isEnding = true;
    this.deps.onClosed(this, this.isAuthenticated, this.reason);
  }
}

/** Compares digests, so that neither length nor content shows in the time taken. The frame's secret is bytes text. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string | Buffer): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(Buffer.from(given, "latin1")), digest(Buffer.from(secret, "utf8")));
}
