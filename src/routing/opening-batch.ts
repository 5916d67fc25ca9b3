/**
 * Micro-batching of matches: every call that waits in this process is matched by ONE statement and recorded by ONE more, answered after its commit, or
 * before it on a busy node (unwritten-calls.ts). What arrives while they run is the next batch. Used by the call log, for calls that ring now.
 */
import { insertCalls } from "../attribution/new-calls.store.js";
import { readNumbersFacts } from "../attribution/match.store.js";
import type { Queryable } from "../db/database.js";
import { inHalves } from "../db/in-halves.js";
import type { Clock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import {
  decideCall,
  isIntercepted,
  type MatchedCall,
  newRecord,
  type OpenCallDeps,
  type OpenedCall,
  openedAgain,
  openedFirst,
  type Opening,
  writeIntercepted,
} from "./open-call.js";
import { mayRingFirst } from "./unwritten-calls.js";
import { UsualBatch } from "./usual-batch.js";

/** Larger ones gain little, and all their calls go on in one turn of the event loop, which keeps everybody else waiting (0.3 ms a call). */
const BATCH_MAX = 48;
/** One that is matched while another is written. */
const IN_FLIGHT_MAX = 2;
/** In a rush (usual-batch.ts) the next batch waits until so many are together, or until the pause after the one before is over. */
const WORTHWHILE_BATCH = 16;
const GATHER_MS = 5;
/** Who waits gives up after 150 ms (route-call.ts): a batch that takes longer keeps nobody else from being served by another connection. */
const SLOT_MS_MAX = 150;
/** But that many at the most: connections that open calls. */
export const RUNNING_MAX = 6;
/** What waits has 150 ms; more than this is not served in that time by any database. */
const WAITING_MAX = 2_000;
/**
 * When the first in line has waited so long, whoever comes now would wait in vain: such a call is refused at once, rings without waiting, and costs the
 * database nothing while it has too much to do.
 */
const WAIT_MS_MAX = 100;

export interface InTimeOpening extends Opening {
  /** Aborted when nobody waits any more: a match that comes after that may see later visitors and must not be written. */
  readonly signal: Pick<AbortSignal, "aborted" | "reason">;
}

/** Calls that ring before their records are written, and what else this process still holds of calls. */
export interface WrittenLater {
  /** @returns false when the calls' records are to be written first */
  take(calls: readonly MatchedCall[]): boolean;
  holds(ingressKey: string): boolean;
  /** Resolves when the record of an ingress call that it holds is written. */
  settleRecord(ingressKey: string): Promise<void>;
  /** Writes what is held of an earlier try of a call, before a further one goes on from its record. */
  settle(callId: CallId): Promise<void>;
}

export interface OpeningBatchDeps extends OpenCallDeps {
  /** For matches and their records; plans by keys (db/planner.ts). */
  readonly openingDb: Queryable;
  readonly clock: Clock;
}

interface Waiting {
  readonly opening: InTimeOpening;
  /** Monotonic. */
  readonly sinceMs: number;
  readonly resolve: (opened: OpenedCall) => void;
  readonly reject: (error: unknown) => void;
}

interface Matched {
  readonly waiting: Waiting;
  readonly call: MatchedCall;
  readonly isRecorded: boolean;
}

export class OpeningBatch {
  private waiting: Waiting[] = [];
  private inFlight = 0;
  private running = 0;
  private readonly usual = new UsualBatch();
  private gathering: NodeJS.Timeout | null = null;
  private turnEnd: NodeJS.Immediate | null = null;

  constructor(
    private readonly deps: OpeningBatchDeps,
    private readonly later: WrittenLater,
  ) {}

  /** @throws AppError("overloaded"), AppError("database_unavailable"), what the database refuses in this very call, or the signal's reason */
  open(opening: InTimeOpening): Promise<OpenedCall> {
    const sinceMs = this.deps.clock.monotonicMs();
    if (this.waiting.length >= WAITING_MAX || sinceMs - (this.waiting[0]?.sinceMs ?? sinceMs) > WAIT_MS_MAX) {
      return Promise.reject(new AppError("overloaded", "Too many calls wait to be matched.", { retryAfterS: 1 }));
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ opening, sinceMs, resolve, reject });
      // Not at once: the calls that came in the same turn of the event loop go together.
      this.turnEnd ??= setImmediate(() => {
        this.turnEnd = null;
        this.pump();
      });
    });
  }

  private pump(): void {
    while (this.mayBegin()) {
      if (this.gathering !== null) clearTimeout(this.gathering);
      this.gathering = null;
      this.inFlight++;
      this.running++;
      let holdsSlot = true;
      const leaveSlot = (): void => {
        if (holdsSlot) this.inFlight--;
        holdsSlot = false;
        this.pumpSoon();
      };
      const timer = setTimeout(leaveSlot, SLOT_MS_MAX);
      const batch = this.waiting.splice(0, BATCH_MAX);
      this.usual.began(batch.length);
      void this.serve(batch).finally(() => {
        clearTimeout(timer);
        this.running--;
        leaveSlot();
      });
    }
  }

  private mayBegin(): boolean {
    if (this.waiting.length === 0 || this.inFlight >= IN_FLIGHT_MAX || this.running >= RUNNING_MAX) return false;
    if (!this.usual.isLarge || this.waiting.length >= WORTHWHILE_BATCH) return true;
    return this.inFlight === 0 && this.gathering === null;
  }

  private pumpSoon(): void {
    if (this.usual.isLarge && this.gathering === null) {
      this.gathering = setTimeout(() => {
        this.gathering = null;
        this.pump();
      }, GATHER_MS);
    }
    this.pump();
  }

  /** Never rejects, nor does anything below. */
  private async serve(batch: readonly Waiting[]): Promise<void> {
    await inHalves(dropAborted(batch), {
      work: (some) => this.matchAndWrite(some),
      refuse: (waiting, error) => waiting.reject(error),
    });
  }

  private async matchAndWrite(batch: readonly Waiting[]): Promise<void> {
    const matched = await this.match(batch);
    for (const one of matched) if (one.isRecorded) this.answer(one, false);
    const first = matched.filter(({ isRecorded }) => !isRecorded);
    const together = this.ring(first.filter(({ call }) => !isIntercepted(call)));
    await Promise.all([
      inHalves(together, {
        work: async (some) => {
          const written = await insertCalls(
            this.deps.openingDb,
            some.map(({ call }) => newRecord(this.deps, call)),
          );
          for (const one of some) this.answer(one, written.has(one.call.callId));
        },
        refuse: ({ waiting }, error) => waiting.reject(error),
      }),
      ...first.map((one) => this.intercept(one)),
    ]);
  }

  private async match(batch: readonly Waiting[]): Promise<Matched[]> {
    // Asked before the database is: what is written meanwhile may be too late for it to see.
    const held = batch.map(({ opening }) => this.later.holds(opening.call.ingressKey));
    const seen = await readNumbersFacts(
      this.deps.openingDb,
      batch.map(({ opening }) => ({ e164: opening.call.promoNumber, ingressKey: opening.call.ingressKey })),
    );
    const matched = batch.flatMap((waiting, index) => {
      const number = seen[index];
      if (number === undefined) return [];
      const call = decideCall(waiting.opening, { isLate: false, ...number });
      return [{ waiting, call, isRecorded: number.isRecorded || held[index] === true }];
    });
    const waited = new Set(dropAborted(batch));
    return matched.filter(({ waiting }) => waited.has(waiting));
  }

  /** Lets the calls ring whose records may come later. @returns the others */
  private ring(calls: readonly Matched[]): readonly Matched[] {
    const ringing = new Map<string, Matched>();
    for (const one of calls)
      if (mayRingFirst(one.call) && !ringing.has(one.call.call.ingressKey)) ringing.set(one.call.call.ingressKey, one);
    if (ringing.size === 0 || !this.later.take([...ringing.values()].map(({ call }) => call))) return calls;
    const others: Matched[] = [];
    for (const one of calls) {
      const ringer = ringing.get(one.call.call.ingressKey);
      if (ringer === undefined) others.push(one);
      else this.answer(one, ringer === one);
    }
    return others;
  }

  /** Rare beside routed calls, and each with its log of callers: one by one. */
  private async intercept(one: Matched): Promise<void> {
    const { waiting, call } = one;
    if (!isIntercepted(call)) return;
    try {
      this.answer(one, await writeIntercepted(this.deps, call));
    } catch (error) {
      waiting.reject(error);
    }
  }

  private answer(one: Matched, isNew: boolean): void {
    if (isNew) one.waiting.resolve(openedFirst(one.call));
    else this.again(one.call).then(one.waiting.resolve, one.waiting.reject);
  }

  private async again(call: MatchedCall): Promise<OpenedCall> {
    await this.later.settleRecord(call.call.ingressKey);
    return openedAgain(this.deps, call, (callId) => this.later.settle(callId));
  }
}

function dropAborted(batch: readonly Waiting[]): Waiting[] {
  return batch.filter(({ opening, reject }) => {
    if (opening.signal.aborted) reject(opening.signal.reason);
    return !opening.signal.aborted;
  });
}
