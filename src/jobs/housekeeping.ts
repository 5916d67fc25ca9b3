/**
 * Small chores of the database: partitions ahead, orphaned calls closed, old rows removed, available numbers taken back that are called too often,
 * pools' call delays measured. The leader runs them; each is idempotent and does no harm in two processes at once.
 */
import { type CallRef, type FormerLife, listOrphanedCalls } from "../attribution/calls.store.js";
import { createModelRounds } from "../attribution/judging/measure-models.js";
import { sql, type Database } from "../db/database.js";
import { databaseNow } from "../db/database-now.js";
import { type Clock, toIso } from "../kernel/clock.js";
import type { Log } from "../kernel/log.js";
import { requarantineBroken } from "../pool/available-watch.js";
import { countIdleNumbers, type IdleCount } from "../pool/idle-numbers.store.js";
import type { NumberSchedule } from "../pool/number-moves.js";
import type { CallLog } from "../routing/call-log.js";
import { CALL_OPEN_S_MAX } from "../routing/limits.js";
import type { Leader } from "./leader.js";
import { purge } from "./purge.js";

const PARTITIONS_EVERY_MS = 6 * 60 * 60 * 1000;
const ORPHANS_EVERY_MS = 60_000;
const PURGE_EVERY_MS = 10 * 60_000;
/** The call itself has its number looked at; this finds what that missed, and what a changed rule changes. */
const REQUARANTINE_EVERY_MS = 10 * 60_000;
/** A round through all pools begins at most once an hour (attribution/judging/measure-models.ts); this is how often it goes on. */
const MODELS_EVERY_MS = 60_000;
/** Carriers count in days. */
const IDLE_EVERY_MS = 6 * 60 * 60 * 1000;
const ORPHANS_A_TURN = 500;
/** As many calls as a node can have left: the edge holds 50,000. */
const FORMER_TURNS_MAX = 100;

const ENSURE_PARTITIONS = sql("housekeeping_partitions", `select ensure_partitions(now())`);
export interface OrphanDeps {
  readonly db: Database;
  readonly callLog: CallLog;
  readonly log: Log;
}

export interface HousekeepingOptions extends OrphanDeps {
  readonly schedule: NumberSchedule;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** What the leader found last; zero numbers are not among it. */
  readonly onIdleNumbers: (idle: readonly IdleCount[]) => void;
}

/** Registers the chores with the leader. */
export function keepHouse(leader: Pick<Leader, "runEvery">, options: HousekeepingOptions): void {
  const { db } = options;
  leader.runEvery({ name: "partitions", everyMs: PARTITIONS_EVERY_MS, work: () => ensurePartitions(db) });
  leader.runEvery({ name: "orphans", everyMs: ORPHANS_EVERY_MS, work: () => closeOrphanedCalls(options) });
  leader.runEvery({ name: "purge", everyMs: PURGE_EVERY_MS, work: (signal) => purge(db, { signal }) });
  leader.runEvery({ name: "requarantine", everyMs: REQUARANTINE_EVERY_MS, work: () => requarantine(options) });
  leader.runEvery({ name: "delay models", everyMs: MODELS_EVERY_MS, work: createModelRounds(options) });
  leader.runEvery({ name: "idle numbers", everyMs: IDLE_EVERY_MS, work: () => warnOfIdleNumbers(options) });
}

/** Which numbers they are is listed by GET /v1/numbers?idle=true. */
export async function warnOfIdleNumbers(
  options: Pick<HousekeepingOptions, "db" | "log" | "onIdleNumbers">,
): Promise<void> {
  const { db, log, onIdleNumbers } = options;
  const idle = await countIdleNumbers(db);
  onIdleNumbers(idle);
  for (const { carrier, numbers, firstReclaimAt } of idle) {
    log.warn("number.idle", { carrier, numbers, firstReclaimAt: toIso(firstReclaimAt) });
  }
}

async function requarantine({ db, schedule, log }: HousekeepingOptions): Promise<void> {
  const count = await requarantineBroken({ db, schedule }, { actor: "job:requarantine" });
  if (count > 0) log.warn("number.requarantined", { count });
}

export async function ensurePartitions(db: Database): Promise<void> {
  await db.query(ENSURE_PARTITIONS);
}

/** Closes records older than a call can last, some of them. @returns how many */
export function closeOrphanedCalls(deps: OrphanDeps): Promise<number> {
  return closeSome(deps, null);
}

/**
 * Closes all records that this node's former life left open. At start only: at once, and again when what it left in the spool is in the database. @returns
 * how many
 */
export async function closeFormerLife(deps: OrphanDeps, formerLife: FormerLife): Promise<number> {
  let closed = 0;
  for (let turn = 0; turn < FORMER_TURNS_MAX; turn++) {
    const count = await closeSome(deps, formerLife);
    closed += count;
    if (count < ORPHANS_A_TURN) break;
  }
  return closed;
}

async function closeSome(deps: OrphanDeps, formerLife: FormerLife | null): Promise<number> {
  const orphans = await listOrphanedCalls(deps.db, { formerLife, olderThanS: CALL_OPEN_S_MAX, limit: ORPHANS_A_TURN });
  if (orphans.length === 0) return 0;
  const now = await databaseNow(deps.db);
  await Promise.all(orphans.map((ref) => close(deps, ref, now)));
  deps.log.warn("call.orphans_closed", { count: orphans.length });
  return orphans.length;
}

async function close(deps: OrphanDeps, ref: CallRef, at: number): Promise<void> {
  const end = {
    kind: "ended",
    status: "failed",
    releasedBy: "system",
    cause: "ended_unknown",
    authority: 1,
    talkMs: null,
  } as const;
  await deps.callLog.record(ref, [{ ...end, at }]);
}
