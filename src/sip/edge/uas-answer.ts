/**
 * A 2xx to an INVITE, repeated until its ACK (RFC 3261 §13.3.1.4): T1, doubling to T2, over TCP as well, because hops behind it may be UDP.
 * After 64*T1 without an ACK the call is over. Sans I/O; used by outbound-response.ts and the development phone.
 */
import { type Scheduler, type SipTimers, type Timer, transactionTimeoutMs } from "./timers.js";

export interface UasAnswer {
  /** TXN of the INVITE: the ACK is shown to the app under it. */
  readonly txn: string;
  /** The ACK came, or the dialog is over: nothing is sent any more. */
  stop(): void;
}

export interface AnswerIo {
  send(): void;
  onAckTimeout(): void;
}

/** The 2xx has been sent once when this is called. */
export function repeatUntilAcked(txn: string, timers: SipTimers, scheduler: Scheduler, io: AnswerIo): UasAnswer {
  let repeat: Timer;
  const repeatAfter = (delayMs: number): void => {
    repeat = scheduler.after(delayMs, () => {
      io.send();
      repeatAfter(Math.min(2 * delayMs, timers.t2Ms));
    });
  };
  repeatAfter(timers.t1Ms);
  const end = scheduler.after(transactionTimeoutMs(timers), () => {
    repeat.cancel();
    io.onAckTimeout();
  });
  return {
    txn,
    stop() {
      repeat.cancel();
      end.cancel();
    },
  };
}
