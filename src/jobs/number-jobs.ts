/**
 * The motor of draining and quarantine: BullMQ jobs, delayed until a number is due, that call advanceNumber. PostgreSQL holds the truth (next_check_at);
 * a job that is lost, early or doubled does no harm, and the sweeper sends a new one for whatever is overdue.
 */
import { z } from "zod";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { advanceNumber, type NumberCheck, type NumberSchedule } from "../pool/number-moves.js";
import { listDueNumbers } from "../pool/numbers.store.js";
import { JobQueue, type NewJob, type QueueKind, type QueuePlace } from "./job-queue.js";

const KIND: QueueKind = {
  name: "numbers",
  concurrency: 8,
  // The database may be away for a moment; what still fails then is the sweeper's.
  attemptsMax: 5,
  backoffMs: 1_000,
  failedKeptMax: 1_000,
};
/** Overdue numbers are looked for this often: within a minute of Redis's return all are on their way (contract). */
export const SWEEP_EVERY_MS = 10_000;
/** A job that is this late is taken for lost. */
const OVERDUE_S = 4;
const SWEPT_MAX = 1_000;
/** A rule so strict that it means "never" needs no job; should the rule change, the number is checked anew. */
const DELAY_MS_MAX = 10 * 365 * 86_400_000;

const jobData = z.strictObject({ e164: z.string(), ownershipEpoch: z.int() });

export interface NumberJobsOptions extends QueuePlace {
  readonly db: Database;
  readonly clock: Clock;
}

export class NumberJobs implements NumberSchedule {
  private readonly queue: JobQueue;

  constructor(private readonly options: NumberJobsOptions) {
    this.queue = new JobQueue(options, KIND, ({ data }) => this.run(data));
  }

  start(): void {
    this.queue.start();
  }

  stop(): Promise<void> {
    return this.queue.stop();
  }

  isUp(): Promise<boolean> {
    return this.queue.isUp();
  }

  checkLater(check: NumberCheck): void {
    const { e164, ownershipEpoch, delayMs } = check;
    if (delayMs > DELAY_MS_MAX) return;
    const dueAt = Math.round(this.options.clock.now() + delayMs);
    // The due time is part of the id: a changed rule must be able to bring a check forward, and BullMQ ignores an id it has.
    void this.queue.send([jobOf(check, { mark: `check-${e164}-${ownershipEpoch}-${dueAt}`, delayMs })]);
  }

  /** Sends a job for every overdue number. The leader calls it every SWEEP_EVERY_MS. @returns how many */
  async sweepOnce(): Promise<number> {
    const due = await listDueNumbers(this.options.db, { graceS: OVERDUE_S, limit: SWEPT_MAX });
    const minute = Math.floor(this.options.clock.now() / 60_000);
    const jobs = due.map((number) =>
      jobOf(number, { mark: `sweep-${number.e164}-${number.ownershipEpoch}-${minute}`, delayMs: 0 }),
    );
    const count = (await this.queue.send(jobs)) ? jobs.length : 0;
    if (count > 0) this.options.log.info("jobs.swept", { count });
    return count;
  }

  private async run(data: object): Promise<void> {
    const number = jobData.parse(data);
    const { db, log } = this.options;
    const advance = await advanceNumber({ db, schedule: this }, { ...number, actor: "job:numbers" });
    log.info("number.checked", { ...number, outcome: advance.kind });
  }
}

function jobOf(number: z.infer<typeof jobData>, when: { mark: string; delayMs: number }): NewJob {
  const { e164, ownershipEpoch } = number;
  return { name: "check-number", data: { e164, ownershipEpoch }, id: when.mark, delayMs: when.delayMs };
}
