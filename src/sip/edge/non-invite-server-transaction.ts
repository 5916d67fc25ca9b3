/** Non-INVITE server transaction (RFC 3261 §17.2.2). Sans I/O, like its three siblings. */
import type { ServerTransactionIo, TransactionSetting } from "./invite-server-transaction.js";
import { type Timer, transactionTimeoutMs } from "./timers.js";

export type NonInviteServerState = "trying" | "proceeding" | "completed" | "terminated";

export class NonInviteServerTransaction {
  state: NonInviteServerState = "trying";
  private readonly setting: TransactionSetting;
  private readonly io: ServerTransactionIo;
  private last: string | null = null;
  /** Timer J: how long retransmissions are still answered. */
  private end: Timer | null = null;

  constructor(setting: TransactionSetting, io: ServerTransactionIo) {
    this.setting = setting;
    this.io = io;
  }

  receiveRetransmission(): void {
    if (this.last !== null) this.io.send(this.last);
  }

  /** @returns false when a final answer was given before; this one was not sent */
  respond(status: number, message: string): boolean {
    if (this.state === "completed" || this.state === "terminated") return false;
    this.last = message;
    this.state = status < 200 ? "proceeding" : "completed";
    this.io.send(message);
    if (this.state === "completed") {
      const { timers, scheduler, reliable } = this.setting;
      if (reliable) this.terminate();
      else this.end = scheduler.after(transactionTimeoutMs(timers), () => this.terminate());
    }
    return true;
  }

  terminate(): void {
    if (this.state === "terminated") return;
    this.state = "terminated";
    this.end?.cancel();
    this.io.onTerminated();
  }
}
