/**
 * Reliable provisional answers to one INVITE, called side (RFC 3262 §3): one at a time, repeated from T1 on with doubled intervals until its
 * PRACK, given up after 64*T1. What must not overtake it waits here. Sans I/O; outbound-reliable.ts sends, inbound-dialog.ts brings the PRACKs.
 */
import { type Header, headerValue, listValues } from "./sip-message.js";
import { type Scheduler, type SipTimers, type Timer, transactionTimeoutMs } from "./timers.js";

export interface ReliableProvisionals {
  /** For the next one; counts up by one (§3). */
  nextSeq(): number;
  /** Called when it has gone out once. @param hasSession it carried SDP: a 2xx must wait for its PRACK (§5) */
  sent(seq: number, hasSession: boolean, io: ReliableIo): void;
  /** The one that nobody has acknowledged; kept after stop(), because its PRACK may still come. */
  readonly outstanding: { readonly seq: number; readonly hasSession: boolean } | null;
  /** @returns false when the PRACK names none that is outstanding */
  acknowledge(seq: number, inviteSeq: number): boolean;
  /** Answers of the app that wait for a PRACK, in order. */
  readonly waiting: (() => void)[];
  /** After an acknowledgement: what waited goes out. */
  resume(): void;
  /** A final answer was given: nothing is repeated any more, and what waits finds that out by itself. */
  stop(): void;
}

export interface ReliableIo {
  send(): void;
  /** 64*T1 without a PRACK. */
  onTimeout(): void;
}

/** @param firstSeq below 2^31 (§3) @param inviteSeq CSeq number of the INVITE */
export function createReliableProvisionals(
  firstSeq: number,
  inviteSeq: number,
  timers: SipTimers,
  scheduler: Scheduler,
): ReliableProvisionals {
  let next = firstSeq;
  let outstanding: { readonly seq: number; readonly hasSession: boolean } | null = null;
  let repeat: Timer | null = null;
  let end: Timer | null = null;
  const waiting: (() => void)[] = [];
  const rest = (): void => {
    repeat?.cancel();
    end?.cancel();
  };
  return {
    waiting,
    get outstanding() {
      return outstanding;
    },
    nextSeq: () => next++,
    sent(seq, hasSession, io) {
      outstanding = { seq, hasSession };
      const repeatAfter = (delayMs: number): void => {
        repeat = scheduler.after(delayMs, () => {
          io.send();
          // No cap at T2: §3 doubles like timer A.
          repeatAfter(2 * delayMs);
        });
      };
      repeatAfter(timers.t1Ms);
      end = scheduler.after(transactionTimeoutMs(timers), () => {
        repeat?.cancel();
        io.onTimeout();
      });
    },
    acknowledge(seq, cseq) {
      if (outstanding === null || outstanding.seq !== seq || cseq !== inviteSeq) return false;
      rest();
      outstanding = null;
      return true;
    },
    resume() {
      // The first of them may be a reliable one itself; the others then go on waiting.
      while (outstanding === null && waiting.length > 0) waiting.shift()?.();
    },
    stop() {
      rest();
      for (const act of waiting.splice(0)) act();
    },
  };
}

/** RAck of a PRACK (§7.2): `rseq cseq INVITE`; null when it is none. */
export function parseRack(value: string | null): { readonly seq: number; readonly inviteSeq: number } | null {
  const match = /^(\d{1,10})[ \t]+(\d{1,10})[ \t]+INVITE$/.exec(value ?? "");
  return match === null ? null : { seq: Number(match[1]), inviteSeq: Number(match[2]) };
}

/** RSeq of a 1xx that asks for a PRACK; null for any other answer. */
export function reliableSeq(headers: readonly Header[]): number | null {
  const written = headerValue(headers, "rseq");
  if (written === null || !/^\d{1,10}$/.test(written) || !names100rel(headers, "require")) return null;
  return Number(written);
}

/** Whether Require or Supported lists 100rel. */
export function names100rel(headers: readonly Header[], key: "require" | "supported"): boolean {
  return listValues(headers, key).some((tag) => tag.toLowerCase() === "100rel");
}
