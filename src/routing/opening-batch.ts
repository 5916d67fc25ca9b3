/**
 * Micro-batching of matches: every call that waits in this process is matched by ONE statement and recorded by ONE more, answered after its commit.
 * What arrives while they run is the next batch. Used by the call log, for calls that ring now.
 */
import { insertCalls } from "../attribution/calls.store.js";
import { readNumbersFacts } from "../attribution/match.store.js";
import { inHalves } from "../db/in-halves.js";
import { AppError } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import {
  decideCall,
  isIntercepted,
  type MatchedCall,
  newRecord,
  type OpenCallDeps,
  type OpenedCall,
  openedCall,
  type Opening,
  writeIntercepted,
} from "./open-call.js";

/** Larger ones make the first in line wait longer and gain nothing. */
const BATCH_MAX = 128;
/** A second one in flight halves the batches, and a statement for few costs nearly as much as one for many. */
const IN_FLIGHT_MAX = 1;
/**
 * When that many wait behind a batch, calls come faster than batches end: a pause then makes the next one larger (a call's share of PostgreSQL's work
 * was measured 0.57 ms alone, 0.20 ms among 4, 0.09 ms among 16). With fewer, nobody waits for it.
 */
const BUSY_WAITING = 2;
const GATHER_MS = 5;
/** Who waits gives up after 150 ms (route-call.ts): a batch that takes longer keeps nobody else from being served by another connection. */
const SLOT_MS_MAX = 150;
/** But that many at the most, of the 16 connections of a process. */
const RUNNING_MAX = 6;
/** What waits has 150 ms; more than this is not served in that time by any database. */
const WAITING_MAX = 2_000;

export interface InTimeOpening extends Opening {
  /** Aborted when nobody waits any more: a match that comes after that may see later visitors and must not be written. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly opening: InTimeOpening;
  readonly resolve: (opened: OpenedCall) => void;
  readonly reject: (error: unknown) => void;
}

export class OpeningBatch {
  private waiting: Waiting[] = [];
  private inFlight = 0;
  private running = 0;
  private isGathering = false;

  /** @param settle writes what this process still holds of an earlier try of a call, before a further one goes on from its record */
  constructor(
    private readonly deps: OpenCallDeps,
    private readonly settle: (callId: CallId) => Promise<void>,
  ) {}

  /** @throws AppError("overloaded"), AppError("database_unavailable"), what the database refuses in this very call, or the signal's reason */
  open(opening: InTimeOpening): Promise<OpenedCall> {
    if (this.waiting.length >= WAITING_MAX) {
      return Promise.reject(new AppError("overloaded", "Too many calls wait to be matched.", { retryAfterS: 1 }));
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ opening, resolve, reject });
      this.pump();
    });
  }

  private pump(): void {
    if (this.isGathering) return;
    while (this.inFlight < IN_FLIGHT_MAX && this.running < RUNNING_MAX && this.waiting.length > 0) {
      this.inFlight++;
      this.running++;
      let holdsSlot = true;
      const leaveSlot = (): void => {
        if (holdsSlot) this.inFlight--;
        holdsSlot = false;
        this.gather();
      };
      const timer = setTimeout(leaveSlot, SLOT_MS_MAX);
      void this.serve(this.waiting.splice(0, BATCH_MAX)).finally(() => {
        clearTimeout(timer);
        this.running--;
        leaveSlot();
      });
    }
  }

  private gather(): void {
    if (this.waiting.length < BUSY_WAITING || this.waiting.length >= BATCH_MAX) return this.pump();
    if (this.isGathering) return;
    this.isGathering = true;
    setTimeout(() => {
      this.isGathering = false;
      this.pump();
    }, GATHER_MS);
  }

  /** Never rejects, nor does anything below. */
  private async serve(batch: readonly Waiting[]): Promise<void> {
    await inHalves(dropAborted(batch), {
      work: (some) => this.matchAndWrite(some),
      refuse: (waiting, error) => waiting.reject(error),
    });
  }

  private async matchAndWrite(batch: readonly Waiting[]): Promise<void> {
    const seen = await readNumbersFacts(
      this.deps.db,
      batch.map(({ opening }) => opening.call.promoNumber),
    );
    const matched = new Map<Waiting, MatchedCall>();
    for (const [index, waiting] of batch.entries()) {
      const number = seen[index];
      if (number !== undefined) matched.set(waiting, decideCall(waiting.opening, { ...number, isLate: false }));
    }
    const open = dropAborted([...matched.keys()]).map((waiting) => ({
      waiting,
      call: matched.get(waiting) as MatchedCall,
    }));
    const together = open.filter(({ call }) => !isIntercepted(call));
    await Promise.all([
      inHalves(together, {
        work: async (some) => {
          const written = await insertCalls(
            this.deps.db,
            some.map(({ call }) => newRecord(this.deps, call)),
          );
          for (const { waiting, call } of some) this.answer(waiting, call, written.has(call.callId));
        },
        refuse: ({ waiting }, error) => waiting.reject(error),
      }),
      ...open.map(({ waiting, call }) => (isIntercepted(call) ? this.intercept(waiting, call) : undefined)),
    ]);
  }

  /** Rare beside routed calls, and each with its log of callers: one by one. */
  private async intercept(
    waiting: Waiting,
    call: MatchedCall & { facts: NonNullable<MatchedCall["facts"]> },
  ): Promise<void> {
    try {
      this.answer(waiting, call, await writeIntercepted(this.deps, call));
    } catch (error) {
      waiting.reject(error);
    }
  }

  private answer(waiting: Waiting, call: MatchedCall, isNew: boolean): void {
    openedCall(this.deps, call, isNew, this.settle).then(waiting.resolve, waiting.reject);
  }
}

function dropAborted(batch: readonly Waiting[]): Waiting[] {
  return batch.filter(({ opening, reject }) => {
    if (opening.signal.aborted) reject(opening.signal.reason);
    return !opening.signal.aborted;
  });
}
