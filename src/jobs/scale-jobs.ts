/**
 * The motor of pool scaling: one repeatable BullMQ job a deployment that sends a look for every pool that is due, and looks sent at once when a pool
 * is exhausted. PostgreSQL holds when a pool is due (pool_scaling) and a look decides under the pool's lock, so a job that is lost, early or doubled
 * does no harm; the sweeper puts back a lost schedule and sends what is overdue.
 */
import { z } from "zod";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { IdSource } from "../kernel/ids.js";
import { lookAtPool } from "../pool/autoscale-run.js";
import type { NumberBuyer } from "../pool/number-buyer.js";
import type { NumberSchedule } from "../pool/number-moves.js";
import { listDuePools } from "../pool/pool-scaling.store.js";
import type { ScaleDecision } from "../pool/scale-decisions.store.js";
import { takeUpOrders } from "../pool/take-up.js";
import { JobQueue, type QueueKind, type QueuePlace } from "./job-queue.js";

const KIND: QueueKind = {
  name: "pool-scaling",
  // Looks are short transactions; buying waits for a carrier.
  concurrency: 4,
  attemptsMax: 3,
  backoffMs: 1_000,
  failedKeptMax: 1_000,
};
const SCHEDULER = "due-pools";
const ROUND = "round";
const LOOK = "look";
/** A pool with a shorter interval_s is looked at so often, and at once when it is exhausted. */
export const ROUND_EVERY_MS = 10_000;
export const POOLS_SWEEP_EVERY_MS = 10_000;
/** A look that is this late, three rounds, is taken for lost. */
const OVERDUE_S = 30;
/** Pools a round sends; the longest overdue come first, the rest in the next round. */
const POOLS_A_ROUND = 1_000;
const ACTOR = "job:scaling";

const lookData = z.strictObject({ poolId: z.string() });

export interface ScaleJobsOptions extends QueuePlace {
  readonly db: Database;
  readonly ids: IdSource;
  readonly schedule: NumberSchedule;
  /** Null: pools grow from the inventory alone. */
  readonly buyer: NumberBuyer | null;
  readonly clock: Clock;
  readonly onDecision?: (decision: ScaleDecision) => void;
  readonly roundEveryMs?: number;
}

export class ScaleJobs {
  private readonly queue: JobQueue;

  constructor(private readonly options: ScaleJobsOptions) {
    this.queue = new JobQueue(options, KIND, (job) => this.run(job));
  }

  get canBuy(): boolean {
    return this.options.buyer !== null;
  }

  start(): void {
    this.queue.start();
  }

  stop(): Promise<void> {
    return this.queue.stop();
  }

  /** Looks at these pools as soon as a worker is free. Losing it only delays: the pools are due in the database. */
  soon(poolIds: readonly string[]): void {
    const second = Math.floor(this.options.clock.now() / 1000);
    void this.send(poolIds, `soon-${second}`);
  }

  /** Puts a lost schedule back and sends a look for every overdue pool. The leader calls it every POOLS_SWEEP_EVERY_MS. @returns how many. @throws when Redis is away */
  async sweepOnce(): Promise<number> {
    const everyMs = this.options.roundEveryMs ?? ROUND_EVERY_MS;
    await this.queue.repeat({ id: SCHEDULER, name: ROUND, data: {}, everyMs, attemptsMax: 1 });
    const count = await this.sendDue(OVERDUE_S, "sweep");
    if (count > 0) this.options.log.info("scaling.swept", { count });
    return count;
  }

  private async run(job: { readonly name: string; readonly data: object }): Promise<void> {
    if (job.name === ROUND) {
      await this.sendDue(0, "round");
      return;
    }
    const { poolId } = lookData.parse(job.data);
    try {
      await this.look(poolId);
    } catch (error) {
      if (!(error instanceof AppError && error.code === "not_found")) throw error;
      this.options.log.info("scaling.pool_gone", { poolId });
    }
  }

  private async look(poolId: string): Promise<void> {
    const { buyer, log } = this.options;
    const onDecision = (decision: ScaleDecision): void => {
      this.options.onDecision?.(decision);
      const { id, trigger, outcome, code, added, removed, onOrder } = decision;
      log.info("pool.scaled", { poolId, decision: id, trigger, outcome, code, added, removed, onOrder });
    };
    const deps = { ...this.options, canBuy: this.canBuy, onDecision };
    await lookAtPool(deps, { poolId, by: "job", actor: ACTOR });
    await takeUpOrders({ ...deps, buyer }, poolId);
  }

  private async sendDue(graceS: number, kind: "round" | "sweep"): Promise<number> {
    const poolIds = await listDuePools(this.options.db, { graceS, limit: POOLS_A_ROUND });
    const second = Math.floor(this.options.clock.now() / 1000);
    return (await this.send(poolIds, `${kind}-${second}`)) ? poolIds.length : 0;
  }

  private send(poolIds: readonly string[], mark: string): Promise<boolean> {
    return this.queue.send(poolIds.map((poolId) => ({ name: LOOK, data: { poolId }, id: `look-${poolId}-${mark}` })));
  }
}
