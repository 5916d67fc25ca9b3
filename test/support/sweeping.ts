import { randomBytes } from "node:crypto";
import type { Database } from "../../src/db/database.js";
import { Leader } from "../../src/jobs/leader.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";

/** Sweeps as the service composes it, on a leader, only quicker. */
export async function startSweeping(
  db: Database,
  jobs: { sweepOnce(): Promise<unknown> },
  everyMs: number,
): Promise<Leader> {
  const leader = new Leader({ database: db, clock: systemClock, log: silentLog, name: randomBytes(6).toString("hex") });
  leader.runEvery({ name: "sweep", everyMs, work: () => jobs.sweepOnce() });
  await leader.start();
  return leader;
}
