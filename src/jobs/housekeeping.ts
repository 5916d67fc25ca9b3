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
/**
 * Rows of one statement. All at once, 3 million (three days of a busy service without the jobs role) take longer than a statement may, and then none would
 * ever be removed, nor what stands behind them in the list.
 */
const PURGED_AT_ONCE = 20_000;
/** Statements a table and turn; the rest is the next turn's. */
const BATCHES_A_TURN = 100;

/** A POST is repeated within minutes; a carrier gives up within hours; a call's key must outlive both by far. */
const PURGE_IDEMPOTENCY = sql(
  "housekeeping_idempotency",
  // Its age twice: a key that is claimed anew in this very moment is young, and a place in the table alone would not say so.
  `delete from idempotency_key where created_at < now() - interval '1 day' and ctid = any (array(
     select ctid from idempotency_key where created_at < now() - interval '1 day' limit $1)) returning 1 as done`,
);
const PURGE_DELIVERIES = sql(
  "housekeeping_deliveries",
  `delete from webhook_delivery where ctid = any (array(
     select ctid from webhook_delivery where received_at < now() - interval '7 days' limit $1)) returning 1 as done`,
);
/** As long as the deliveries they came with. */
const PURGE_NONCES = sql(
  "housekeeping_nonces",
  `delete from webhook_nonce where ctid = any (array(
     select ctid from webhook_nonce where received_at < now() - interval '7 days' limit $1)) returning 1 as done`,
);
const PURGE_CALL_KEYS = sql(
  "housekeeping_call_keys",
  `delete from call_key where ctid = any (array(
     select ctid from call_key where received_at < now() - interval '30 days' limit $1)) returning 1 as done`,
);
/** Two years: long enough for whoever asks who has seen their number. */
const PURGE_PII_ACCESS = sql(
  "housekeeping_pii_access",
  `delete from pii_access where ctid = any (array(
     select ctid from pii_access where at < now() - interval '2 years' limit $1)) returning 1 as done`,
);
/** A year and a month: this month can be held against last year's. */
const PURGE_BOT_HOURS = sql(
  "housekeeping_bot_hours",
  `delete from bot_hour where ctid = any (array(
     select ctid from bot_hour where hour < now() - interval '13 months' limit $1)) returning 1 as done`,
);

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

/** Removes what is old enough, in batches. @param options.atOnce tests have fewer */
export async function purge(
  db: Database,
  { signal, atOnce = PURGED_AT_ONCE }: { signal: AbortSignal; atOnce?: number },
): Promise<void> {
  for (const query of [
    PURGE_IDEMPOTENCY,
    PURGE_DELIVERIES,
    PURGE_NONCES,
    PURGE_CALL_KEYS,
    PURGE_PII_ACCESS,
    PURGE_BOT_HOURS,
  ])
    for (let batch = 0; batch < BATCHES_A_TURN && !signal.aborted; batch++)
      if ((await db.query(query, [atOnce])).length < atOnce) break;
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
