/**
 * Counts visitors who found no free number, in memory, and writes the counts down together: presenting never waits for it. A pool that scales itself
 * is made due at once, in the database and by `onUrgent`, once in its interval. A process that is killed loses a quarter of a second of counts.
 */
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { DirectoryPool } from "./directory.js";
import { addExhaustions } from "./pool-scaling.store.js";

/** Soon enough to be "at once" for somebody who waits for numbers, and four statements a second at most. */
const WRITE_EVERY_MS = 250;
/** While the database is away: the next attempt. */
const RETRY_MS = 2_000;
/** More pools than a process serves at a time; counts of further ones are dropped, the pools' regular look finds them full. */
export const POOLS_MAX = 10_000;

export interface ExhaustionCounterOptions {
  readonly db: Database;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** Told after the counts are written. Must not throw. */
  readonly onUrgent: (poolIds: readonly string[]) => void;
  /** Told of each exhaustion, for metrics. */
  readonly onExhausted?: () => void;
}

export class ExhaustionCounter {
  private counts = new Map<string, number>();
  private urgent = new Set<string>();
  /** When a pool was last found urgent, by the monotonic clock; the oldest first. */
  private readonly woken = new Map<string, number>();
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(private readonly options: ExhaustionCounterOptions) {}

  /** Never throws and waits for nothing. */
  note(pool: Pick<DirectoryPool, "id" | "scaleIntervalS">): void {
    this.options.onExhausted?.();
    const known = this.counts.get(pool.id);
    if (known === undefined && this.counts.size >= POOLS_MAX) return;
    this.counts.set(pool.id, (known ?? 0) + 1);
    if (pool.scaleIntervalS !== null && this.isFirstIn(pool.id, pool.scaleIntervalS * 1000)) this.urgent.add(pool.id);
    this.writeIn(WRITE_EVERY_MS);
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.writing;
    if (this.counts.size > 0) await this.write();
  }

  private isFirstIn(poolId: string, intervalMs: number): boolean {
    const now = this.options.clock.monotonicMs();
    const last = this.woken.get(poolId);
    if (last !== undefined && now - last < intervalMs) return false;
    this.woken.delete(poolId);
    if (this.woken.size >= POOLS_MAX) this.woken.delete(this.woken.keys().next().value as string);
    this.woken.set(poolId, now);
    return true;
  }

  private writeIn(ms: number): void {
    if (this.timer !== null || this.isStopped) return;
    this.timer = setTimeout(() => {
      this.writing = this.write().finally(() => {
        this.timer = null;
        if (this.counts.size > 0) this.writeIn(this.urgent.size > 0 ? RETRY_MS : WRITE_EVERY_MS);
      });
    }, ms);
    this.timer.unref();
  }

  private async write(): Promise<void> {
    const { counts, urgent } = this;
    this.counts = new Map();
    this.urgent = new Set();
    const rows = [...counts].map(([poolId, count]) => ({ poolId, count, isUrgent: urgent.has(poolId) }));
    try {
      await addExhaustions(this.options.db, rows);
    } catch (error) {
      this.options.log.warn("pool.exhaustions_not_written", { pools: rows.length, error: messageOf(error) });
      this.putBack(counts, urgent);
      return;
    }
    if (urgent.size > 0) this.options.onUrgent([...urgent]);
  }

  private putBack(counts: ReadonlyMap<string, number>, urgent: ReadonlySet<string>): void {
    for (const [poolId, count] of counts) {
      const later = this.counts.get(poolId);
      if (later !== undefined || this.counts.size < POOLS_MAX) this.counts.set(poolId, (later ?? 0) + count);
    }
    for (const poolId of urgent) if (this.counts.has(poolId)) this.urgent.add(poolId);
  }
}
