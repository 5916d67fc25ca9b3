/** What the leader does for people's privacy: it removes what has been kept long enough, and erases again what came in late. Each is idempotent. */
import { type EraseDeps, repeatErasures } from "../attribution/privacy/erase-person.js";
import {
  type AccountRetention,
  deleteForgottenVisitors,
  deletePresentations,
  dropOldPartition,
  emptyNumbers,
  keepPresentationsFrom,
  listDueRetention,
  markRetention,
  redactCallers,
  redactIntercepts,
} from "../attribution/privacy/retention.store.js";
import { type Database, sqlState } from "../db/database.js";
import { databaseNow } from "../db/database-now.js";
import type { Log } from "../kernel/log.js";
import type { Leader } from "./leader.js";

const RETENTION_EVERY_MS = 60 * 60_000;
const ERASURES_EVERY_MS = 10 * 60_000;
const PURGE_EVERY_MS = 6 * 60 * 60_000;
/** Rows of one statement: locks and write-ahead log stay small beside calls and presentations. */
const BATCH = 2_000;
/** Statements of one turn; the rest is the next turn's. */
const BATCHES_A_TURN = 500;
/** Callers of calls that no account's number took. An account's own setting begins with the same. */
const UNOWNED_CALLER_DAYS = 365;
/** The shortest time an account may keep its log (migration 0021). */
const LOG_DAYS_MIN = 4;
const DAY_MS = 86_400_000;
/** Somebody held the table for longer than presentations may wait. */
const LOCK_NOT_AVAILABLE = "55P03";

export interface PrivacyOptions extends EraseDeps {
  readonly db: Database;
  readonly log: Log;
}

/** Registers the chores with the leader. */
export function keepPrivacy(leader: Pick<Leader, "runEvery">, options: PrivacyOptions): void {
  leader.runEvery({ name: "retention", everyMs: RETENTION_EVERY_MS, work: () => applyRetention(options) });
  leader.runEvery({ name: "erasures", everyMs: ERASURES_EVERY_MS, work: () => eraseLate(options) });
  leader.runEvery({ name: "log partitions", everyMs: PURGE_EVERY_MS, work: () => dropOldPartitions(options) });
}

async function eraseLate(options: PrivacyOptions): Promise<void> {
  const found = await repeatErasures(options);
  if (found > 0) options.log.info("person.erased_late", { erasures: found });
}

export async function applyRetention(options: PrivacyOptions): Promise<void> {
  const { db, log } = options;
  const budget = { left: BATCHES_A_TURN };
  const removed = { callers: 0, presentations: 0, visitors: 0 };
  for (let after = ""; ; ) {
    const accounts = await listDueRetention(db, { after, limit: 100 });
    for (const account of accounts) await retain(options, account, budget, removed);
    const last = accounts.at(-1);
    if (last === undefined || budget.left <= 0) break;
    after = last.accountId;
  }
  // What is removed does not come back: by no clock but the one that wrote the calls' times.
  const before = (await databaseNow(db)) - UNOWNED_CALLER_DAYS * DAY_MS;
  const unowned = () => db.transaction((tx) => redactCallers(tx, { accountId: null, before, limit: BATCH }));
  removed.callers += await inBatches(budget, unowned);
  removed.callers += await inBatches(budget, () => redactIntercepts(db, before, BATCH));
  removed.visitors += await inBatches(budget, () => deleteForgottenVisitors(db, LOG_DAYS_MIN, BATCH));
  if (Object.values(removed).some((count) => count > 0)) log.info("retention.applied", removed);
}

async function retain(
  { db }: PrivacyOptions,
  account: AccountRetention,
  budget: { left: number },
  removed: { callers: number; presentations: number },
): Promise<void> {
  const { accountId } = account;
  removed.callers += await inBatches(budget, () =>
    db.transaction((tx) => redactCallers(tx, { accountId, before: account.callersBefore, limit: BATCH })),
  );
  const before = account.presentationsBefore;
  await keepPresentationsFrom(db, accountId, before);
  await emptyNumbers(db, accountId, before);
  removed.presentations += await inBatches(budget, () => deletePresentations(db, { accountId, before, limit: BATCH }));
  // Cut off by the budget: the mark stays where it is and the next turn goes on.
  if (budget.left > 0) await markRetention(db, account);
}

async function inBatches(budget: { left: number }, remove: () => Promise<number>): Promise<number> {
  let sum = 0;
  while (budget.left > 0) {
    budget.left--;
    const count = await remove();
    sum += count;
    if (count < BATCH) break;
  }
  return sum;
}

export async function dropOldPartitions({ db, log }: Pick<PrivacyOptions, "db" | "log">): Promise<void> {
  try {
    for (let name = await dropOldPartition(db); name !== null; name = await dropOldPartition(db)) {
      log.info("retention.partition_dropped", { name });
    }
  } catch (error) {
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    log.info("retention.partition_busy");
  }
}
