/** Small chores of the database, each idempotent and safe in several processes at once: partitions ahead, orphaned calls closed, old keys removed. */
import { type CallRef, listOrphanedCalls } from "../attribution/calls.store.js";
import { sql, type Database } from "../db/database.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { CallLog } from "../routing/call-log.js";
import { CALL_OPEN_S_MAX } from "../routing/limits.js";

const PARTITIONS_EVERY_MS = 6 * 60 * 60 * 1000;
const ORPHANS_EVERY_MS = 60_000;
const PURGE_EVERY_MS = 10 * 60_000;
const ORPHANS_A_TURN = 500;

const ENSURE_PARTITIONS = sql("housekeeping_partitions", `select ensure_partitions(now())`);
/** A POST is repeated within minutes; a carrier gives up within hours; a call's key must outlive both by far. */
const PURGE_IDEMPOTENCY = sql(
  "housekeeping_idempotency",
  `delete from idempotency_key where created_at < now() - interval '1 day'`,
);
const PURGE_DELIVERIES = sql(
  "housekeeping_deliveries",
  `delete from webhook_delivery where received_at < now() - interval '7 days'`,
);
const PURGE_CALL_KEYS = sql(
  "housekeeping_call_keys",
  `delete from call_key where received_at < now() - interval '30 days'`,
);

export interface HousekeepingOptions {
  readonly db: Database;
  readonly callLog: CallLog;
  readonly log: Log;
}

export class Housekeeping {
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(private readonly options: HousekeepingOptions) {}

  start(): void {
    this.every(PARTITIONS_EVERY_MS, "partitions", () => ensurePartitions(this.options.db));
    this.every(ORPHANS_EVERY_MS, "orphans", async () => void (await closeOrphanedCalls(this.options, null)));
    this.every(PURGE_EVERY_MS, "purge", async () => {
      for (const query of [PURGE_IDEMPOTENCY, PURGE_DELIVERIES, PURGE_CALL_KEYS]) await this.options.db.query(query);
    });
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.timers.clear();
  }

  private every(ms: number, chore: string, run: () => Promise<void>): void {
    const timer = setInterval(() => {
      run().catch((error: unknown) => this.options.log.warn("housekeeping.failed", { chore, error: messageOf(error) }));
    }, ms);
    this.timers.add(timer);
  }
}

export async function ensurePartitions(db: Database): Promise<void> {
  await db.query(ENSURE_PARTITIONS);
}

/**
 * Closes records that nobody will end: those of this node's former life (`formerNode`, at start only), and any older than a call can last.
 * @returns how many
 */
export async function closeOrphanedCalls(deps: HousekeepingOptions, formerNode: string | null): Promise<number> {
  const orphans = await listOrphanedCalls(deps.db, { formerNode, olderThanS: CALL_OPEN_S_MAX, limit: ORPHANS_A_TURN });
  if (orphans.length === 0) return 0;
  const [clock] = await deps.db.query<{ now: number }>(NOW);
  await Promise.all(orphans.map((ref) => close(deps, ref, clock?.now ?? ref.receivedAt)));
  deps.log.warn("call.orphans_closed", { count: orphans.length });
  return orphans.length;
}

async function close(deps: HousekeepingOptions, ref: CallRef, at: number): Promise<void> {
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

const NOW = sql("housekeeping_now", `select now() as now`);
