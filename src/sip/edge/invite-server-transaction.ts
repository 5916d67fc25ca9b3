/**
 * INVITE server transaction (RFC 3261 §17.2.1 as corrected by RFC 6026). Sans I/O: incoming.ts and the development phone feed it and carry out
 * what it asks. Retransmission of a 2xx is not its business (§13.3.1.4): uas-answer.ts does that.
 */
import { type Scheduler, type SipTimers, type Timer, transactionTimeoutMs } from "./timers.js";

export type InviteServerState = "proceeding" | "completed" | "confirmed" | "accepted" | "terminated";

export interface ServerTransactionIo {
  send(message: string): void;
  /** The transaction's key is free again. */
  onTerminated(): void;
}

export interface TransactionSetting {
  readonly timers: SipTimers;
  readonly scheduler: Scheduler;
  /** The transport retransmits by itself: TCP. */
  readonly reliable: boolean;
}

export class InviteServerTransaction {
  state: InviteServerState = "proceeding";
  private readonly setting: TransactionSetting;
  private readonly io: ServerTransactionIo;
  /** What a retransmitted INVITE is answered with; dropped once nothing needs it. */
  private last: string | null = null;
  /** Timer G: repeats a failure answer. */
  private repeat: Timer | null = null;
  /** Timer H, I or L, by state. */
  private end: Timer | null = null;

  constructor(setting: TransactionSetting, io: ServerTransactionIo) {
    this.setting = setting;
    this.io = io;
  }

  /** The same INVITE again: answered by what was last said, absorbed once a 2xx or an ACK has passed. */
  receiveRetransmission(): void {
    if ((this.state === "proceeding" || this.state === "completed") && this.last !== null) this.io.send(this.last);
  }

  /** @returns false when the answer comes too late (a final one was given) and was not sent */
  respond(status: number, message: string): boolean {
    if (this.state !== "proceeding") return false;
    this.last = message;
    if (status < 200) {
      this.io.send(message);
      return true;
    }
    const { timers, scheduler, reliable } = this.setting;
    if (status < 300) {
      this.state = "accepted";
      this.last = null;
      this.end = scheduler.after(transactionTimeoutMs(timers), () => this.terminate());
    } else {
      this.state = "completed";
      this.end = scheduler.after(transactionTimeoutMs(timers), () => this.terminate());
      if (!reliable) this.repeatAfter(timers.t1Ms);
    }
    this.io.send(message);
    return true;
  }

  /** Sends the last provisional answer again (§13.3.1.1: every minute). */
  repeatProvisional(): void {
    if (this.state === "proceeding" && this.last !== null) this.io.send(this.last);
  }

  /** The ACK of a failure answer, matched by branch. */
  receiveAck(): void {
    if (this.state !== "completed") return;
    this.state = "confirmed";
    this.last = null;
    this.repeat?.cancel();
    this.end?.cancel();
    const { timers, scheduler, reliable } = this.setting;
    if (reliable) this.terminate();
    else this.end = scheduler.after(timers.t4Ms, () => this.terminate());
  }

  terminate(): void {
    if (this.state === "terminated") return;
    this.state = "terminated";
    this.repeat?.cancel();
    this.end?.cancel();
    this.io.onTerminated();
  }

  private repeatAfter(delayMs: number): void {
    const { timers, scheduler } = this.setting;
    this.repeat = scheduler.after(delayMs, () => {
      if (this.state !== "completed" || this.last === null) return;
      this.io.send(this.last);
      this.repeatAfter(Math.min(2 * delayMs, timers.t2Ms));
    });
  }
}
