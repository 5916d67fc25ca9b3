/** Non-INVITE client transaction (RFC 3261 §17.1.2). Sans I/O, like its three siblings. */
import type { ClientTransactionIo } from "./invite-client-transaction.js";
import type { TransactionSetting } from "./invite-server-transaction.js";
import type { CheckedResponse } from "./message-check.js";
import { type Timer, transactionTimeoutMs } from "./timers.js";

export type NonInviteClientState = "trying" | "proceeding" | "completed" | "terminated";

export class NonInviteClientTransaction {
  state: NonInviteClientState = "trying";
  private readonly setting: TransactionSetting;
  private readonly io: ClientTransactionIo;
  private request: string | null;
  /** Timer E. */
  private repeat: Timer | null = null;
  /** Timer F, then K. */
  private end: Timer | null = null;

  constructor(request: string, setting: TransactionSetting, io: ClientTransactionIo) {
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
    if (this.state !== "trying" && this.state !== "proceeding") return;
    if (response.message.status < 200) {
      this.state = "proceeding";
      this.io.onResponse(response);
      return;
    }
    const { timers, scheduler, reliable } = this.setting;
    this.state = "completed";
    this.request = null;
    this.repeat?.cancel();
    this.end?.cancel();
    if (!reliable) this.end = scheduler.after(timers.t4Ms, () => this.terminate());
    this.io.onResponse(response);
    if (reliable) this.terminate();
  }

  terminate(): void {
    if (this.state === "terminated") return;
    this.state = "terminated";
    this.repeat?.cancel();
    this.end?.cancel();
    this.io.onTerminated();
  }

  /** Timer E doubles up to T2, and is T2 once a 1xx came; timer F runs on in both states. */
  private repeatAfter(delayMs: number): void {
    const { timers, scheduler } = this.setting;
    this.repeat = scheduler.after(delayMs, () => {
      if (this.request === null || (this.state !== "trying" && this.state !== "proceeding")) return;
      this.io.send(this.request);
      this.repeatAfter(this.state === "proceeding" ? timers.t2Ms : Math.min(2 * delayMs, timers.t2Ms));
    });
  }

  private timeOut(): void {
    if (this.state !== "trying" && this.state !== "proceeding") return;
    this.io.onTimeout();
    this.terminate();
  }
}
