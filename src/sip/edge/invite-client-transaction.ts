/**
 * INVITE client transaction (RFC 3261 §17.1.1 as corrected by RFC 6026). Sans I/O: outgoing.ts and the development phone start it and act on
 * what it passes up. Failure answers are acknowledged here; a 2xx is acknowledged by whoever owns the dialog.
 */
import type { TransactionSetting } from "./invite-server-transaction.js";
import type { CheckedResponse } from "./message-check.js";
import { type Timer, transactionTimeoutMs } from "./timers.js";

export type InviteClientState = "calling" | "proceeding" | "completed" | "accepted" | "terminated";

export interface ClientTransactionIo {
  send(message: string): void;
  /** Every response the user of the transaction has to see: each 1xx, the first failure, every 2xx (forks and retransmissions too). */
  onResponse(response: CheckedResponse): void;
  /** Timer B or F: nobody answered. The transaction is over. */
  onTimeout(): void;
  onTerminated(): void;
}

export interface InviteClientIo extends ClientTransactionIo {
  /** The ACK for this failure answer (§17.1.1.3). */
  makeAck(response: CheckedResponse): string;
}

export class InviteClientTransaction {
  state: InviteClientState = "calling";
  private readonly setting: TransactionSetting;
  private readonly io: InviteClientIo;
  private request: string | null;
  private ack: string | null = null;
  /** Timer A. */
  private repeat: Timer | null = null;
  /** Timer B, D or M, by state. */
  private end: Timer | null = null;

  constructor(request: string, setting: TransactionSetting, io: InviteClientIo) {
    this.request = request;
    this.setting = setting;
    this.io = io;
  }

  start(): void {
    const { timers, scheduler, reliable } = this.setting;
    this.end = scheduler.after(transactionTimeoutMs(timers), () => this.timeOut());
    if (!reliable) this.repeatAfter(timers.t1Ms);
    if (this.request !== null) this.io.send(this.request);
  }

  receive(response: CheckedResponse): void {
    const { status } = response.message;
    switch (this.state) {
      case "calling":
      case "proceeding":
        this.stopCalling();
        if (status < 200) {
          this.state = "proceeding";
          this.io.onResponse(response);
        } else if (status < 300) this.accept(response);
        else this.complete(response);
        return;
      case "accepted":
        if (status >= 200 && status < 300) this.io.onResponse(response);
        return;
      case "completed":
        if (status >= 300 && this.ack !== null) this.io.send(this.ack);
        return;
      case "terminated":
        return;
    }
  }

  terminate(): void {
    if (this.state === "terminated") return;
    this.state = "terminated";
    this.repeat?.cancel();
    this.end?.cancel();
    this.io.onTerminated();
  }

  private accept(response: CheckedResponse): void {
    const { timers, scheduler } = this.setting;
    this.state = "accepted";
    this.end = scheduler.after(transactionTimeoutMs(timers), () => this.terminate());
    this.io.onResponse(response);
  }

  private complete(response: CheckedResponse): void {
    const { timers, scheduler, reliable } = this.setting;
    this.state = "completed";
    this.ack = this.io.makeAck(response);
    this.io.send(this.ack);
    if (!reliable) this.end = scheduler.after(timers.timerDMs, () => this.terminate());
    this.io.onResponse(response);
    if (reliable) this.terminate();
  }

  private stopCalling(): void {
    this.repeat?.cancel();
    this.end?.cancel();
    this.repeat = null;
    this.request = null;
  }

  /** Timer A doubles without a cap (§17.1.1.2); timer B ends it. */
  private repeatAfter(delayMs: number): void {
    this.repeat = this.setting.scheduler.after(delayMs, () => {
      if (this.state !== "calling" || this.request === null) return;
      this.io.send(this.request);
      this.repeatAfter(2 * delayMs);
    });
  }

  private timeOut(): void {
    if (this.state !== "calling") return;
    this.io.onTimeout();
    this.terminate();
  }
}
