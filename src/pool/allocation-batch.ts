/**
 * Micro-batching of presentations: everybody waiting in this process is allocated by ONE statement, answered after its commit. Nobody waits for a timer
 * while little is asked: what arrives in one turn of the event loop, or while a statement runs, is the next batch (storage notes §C measured 4x the rate of
 * one statement a request).
 */
import type { Database } from "../db/database.js";
import { sqlState } from "../db/database.js";
import { DatabaseClock } from "../db/database-clock.js";
import { inHalves } from "../db/in-halves.js";
import type { Clock, Instant } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { FairQueue } from "./fair-queue.js";
import { type Allocation, type AllocationRequest, presentUntil } from "./presentations.store.js";

/** Larger batches gained nothing and lengthen the wait of the first in line. */
export const BATCH_MAX = 256;
/** No account takes more of a batch while others wait. */
export const ACCOUNT_SHARE_MAX = 0.5;
/**
 * One batch runs while this thread reads and answers the pages of another: with one alone, thread and database wait for each other in turn. A second
 * one must be worth its statement's fixed part (0.6 ms of PostgreSQL's work, 0.07 ms a visitor): side by side, 64 connections, one process made 1.1
 * times as many presentations with it, two made as many; with a second one of any size four processes made less than half.
 */
export const IN_FLIGHT_MAX = 2;
export const WORTHWHILE_SECOND = 24;
/**
 * Whoever is answered now is not back yet when the batch ends, so that the next one would hold only who came meanwhile: with 16 connections two halves take
 * turns, eight each, for ever. A pause of a part of what the batch took, after one of more than a few, lets them come together. Four processes on two cores
 * then had 13.5 instead of 8 visitors a statement, and PostgreSQL 0.12 instead of 0.43 ms of work a visitor.
 */
const GATHER_SHARE = 0.25;
const GATHER_MS_MAX = 4;
const BUSY_BATCH = 4;
/** A timer is no finer. */
const GATHER_MS_MIN = 1;
/** About half a second of work at the measured rate; beyond it the page keeps its original numbers. */
export const WAITING_MAX = 10_000;
/** The tag gives up after 1.5 s; who has waited longer than this is answered without a number. */
export const WAIT_MS_MAX = 1_200;
/**
 * A statement that the database takes up later serves nobody: the first of them has gone without a number by the time it is done. What a server that was
 * stopped finds in its socket would otherwise be presented to visitors who see something else.
 */
const TAKEN_UP_WITHIN_MS = WAIT_MS_MAX - 100;
/** How often the waiting are looked through while a statement runs: a database that hangs must not keep pages waiting much longer than that. */
const LOOK_EVERY_MS = 100;
/** When a batch held only visitors that another process is serving: let it finish. */
const BUSY_PAUSE_MS = 5;

interface Waiting {
  readonly request: AllocationRequest;
  readonly since: number;
  readonly resolve: (allocation: Allocation) => void;
  readonly reject: (error: unknown) => void;
  /** Answered already, because the statement took too long; what it still brings is the visitor's next time. */
  isOver: boolean;
}

export interface AllocationBatchOptions {
  readonly db: Database;
  readonly clock: Pick<Clock, "now" | "monotonicMs">;
  readonly log: Log;
  /** Tests only: the time the database judges locks by. */
  readonly now?: () => Instant;
}

export class AllocationBatch {
  private readonly queue = new FairQueue<Waiting>();
  private gathering: NodeJS.Timeout | null = null;
  private turnEnd: NodeJS.Immediate | null = null;
  /** Batches in flight. No set of the waiting: it would chain its outgrown tables, as fair-queue.ts says of maps. */
  private underWay: readonly (readonly Waiting[])[] = [];
  private watch: NodeJS.Timeout | null = null;
  private readonly databaseClock: DatabaseClock;

  constructor(private readonly options: AllocationBatchOptions) {
    this.databaseClock = new DatabaseClock(options.clock);
  }

  get waiting(): number {
    return this.queue.size;
  }

  /**
   * @param since monotonic, when the visitor began to wait: what a page had to wait for before is a part of its patience
   * @throws AppError("overloaded") when too many wait or the wait grew too long; AppError("database_unavailable"); AppError("invalid_value")
   *   when the database refuses this very request
   */
  allocate(request: AllocationRequest, since = this.options.clock.monotonicMs()): Promise<Allocation> {
    if (this.queue.size >= WAITING_MAX) return Promise.reject(overloaded());
    return new Promise((resolve, reject) => {
      this.queue.push(request.accountId, { request, since, resolve, reject, isOver: false });
      // Not at once: the requests of one turn of the event loop go together.
      this.turnEnd ??= setImmediate(() => {
        this.turnEnd = null;
        this.pump();
      });
    });
  }

  private pump(): void {
    while (this.mayBegin()) {
      const batch = this.nextBatch();
      if (batch.length === 0) continue;
      if (this.gathering !== null) clearTimeout(this.gathering);
      this.gathering = null;
      this.underWay = [...this.underWay, batch];
      const beganAt = this.options.clock.monotonicMs();
      this.watch ??= setInterval(() => this.endLongWaits(), LOOK_EVERY_MS);
      void this.serve(batch).finally(() => {
        this.underWay = this.underWay.filter((one) => one !== batch);
        this.gatherAfter(batch.length, this.options.clock.monotonicMs() - beganAt);
        this.pump();
        if (this.underWay.length === 0 && this.watch !== null) {
          clearInterval(this.watch);
          this.watch = null;
        }
      });
    }
  }

  private mayBegin(): boolean {
    if (this.underWay.length >= IN_FLIGHT_MAX) return false;
    const waitsForNobody = this.underWay.length === 0 && this.gathering === null;
    return this.queue.size >= (waitsForNobody ? 1 : WORTHWHILE_SECOND);
  }

  private gatherAfter(size: number, tookMs: number): void {
    const ms = Math.min(GATHER_MS_MAX, tookMs * GATHER_SHARE);
    if (this.underWay.length > 0 || size < BUSY_BATCH || ms < GATHER_MS_MIN) return;
    this.gathering = setTimeout(() => {
      this.gathering = null;
      this.pump();
    }, ms);
  }

  private endLongWaits(): void {
    const oldest = this.options.clock.monotonicMs() - WAIT_MS_MAX;
    const tooLong = [...this.queue.remove(({ since }) => since < oldest)];
    for (const waiting of this.underWay.flat()) if (waiting.since < oldest && !waiting.isOver) tooLong.push(waiting);
    for (const waiting of tooLong) {
      waiting.isOver = true;
      waiting.reject(overloaded());
    }
  }

  private nextBatch(): Waiting[] {
    const visitors = new Set<string>();
    const fits = ({ request }: Waiting): boolean => {
      // A visitor asking twice at once gets the second answer from the next batch: as a renewal of the first.
      const key = `${request.poolId} ${request.visitorId}`;
      if (visitors.has(key)) return false;
      visitors.add(key);
      return true;
    };
    const batch = this.queue.take({ max: BATCH_MAX, share: ACCOUNT_SHARE_MAX, fits });
    const oldest = this.options.clock.monotonicMs() - WAIT_MS_MAX;
    const inTime = batch.filter((waiting) => waiting.since >= oldest);
    for (const waiting of batch) if (waiting.since < oldest) waiting.reject(overloaded());
    return inTime;
  }

  private async serve(batch: readonly Waiting[]): Promise<void> {
    const { log } = this.options;
    await inHalves(batch, {
      work: (some) => this.present(some),
      refuse: (waiting, error) => waiting.reject(refusalOf(error)),
      onSplit: (size, error) =>
        log.warn("presentation.batch_split", { size, sqlState: sqlState(error), error: messageOf(error) }),
    });
  }

  private async present(batch: readonly Waiting[]): Promise<void> {
    const { clock, db, now } = this.options;
    const sentAt = clock.monotonicMs();
    const oldest = batch.reduce((least, { since }) => Math.min(least, since), sentAt);
    const answer = await presentUntil(
      db,
      batch.map(({ request }) => request),
      { now: now?.() ?? null, until: this.databaseClock.at(oldest + TAKEN_UP_WITHIN_MS) },
    );
    // Taken up too late, because its clock or ours was set, it comes again with what was learned here.
    const { outcomes, databaseNow } = answer;
    if (databaseNow !== null) this.databaseClock.seen(databaseNow, sentAt);
    let served = 0;
    for (const [index, waiting] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined && outcome.kind !== "busy") {
        waiting.resolve(outcome);
        served++;
      } else if (!waiting.isOver) this.queue.push(waiting.request.accountId, waiting);
    }
    if (served === 0) await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
  }
}

/** Class 22 and 23: the data is at fault. Everything else is ours. */
function refusalOf(error: unknown): unknown {
  const state = sqlState(error);
  if (state === null || !/^2[23]/.test(state)) return error;
  return new AppError("invalid_value", "The database cannot store this presentation.", { cause: error });
}

function overloaded(): AppError {
  return new AppError("overloaded", "Too many visitors are waiting for a number.", { retryAfterS: 1 });
}
