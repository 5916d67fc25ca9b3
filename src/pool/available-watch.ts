/**
 * Calls to numbers that nobody holds any more and that were called clean: when they are too many, the number goes back to quarantine. Told of each such
 * call by the call log, after the call's record is committed, so that no caller waits for it; what it misses (a restart, the database away) a job
 * finds, which looks at all of them (jobs/housekeeping.ts).
 */
import { sql, timestamp, type Queryable } from "../db/database.js";
import { databaseNow } from "../db/database-now.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { summarizeIntercepts } from "./intercepts.store.js";
import { type MoveDeps, quarantineLocked } from "./number-moves.js";
import { lockNumber } from "./numbers.store.js";
import { breaksBound, DAY_MS, watchedSince } from "./quarantine.js";
import { readQuarantineSettings } from "./quarantine-settings.js";

/** Numbers looked at in this process at a time; what comes beyond it is the job's. */
const UNDER_WAY_MAX = 50;
/** Numbers that one turn of the job looks at; the next turn takes the rest. */
const LOOKED_AT_MAX = 500;

export interface AvailableWatch {
  /** A call was taken on this number while it was available. Never throws. */
  called(e164: string): void;
  /** Resolves when what was told so far has been looked at. */
  settle(): Promise<void>;
}

export function createAvailableWatch(deps: MoveDeps & { readonly log: Log }): AvailableWatch {
  const underWay = new Map<string, { again: boolean; work: Promise<void> }>();
  const look = async (e164: string): Promise<void> => {
    try {
      for (let isNews = true; isNews; ) {
        await requarantineIfBroken(deps, { e164, actor: "intercept" });
        const state = underWay.get(e164);
        isNews = state?.again === true;
        if (state !== undefined) state.again = false;
      }
    } catch (error) {
      deps.log.warn("number.recheck_failed", { e164, error: messageOf(error) });
    } finally {
      underWay.delete(e164);
    }
  };
  return {
    called: (e164) => {
      const running = underWay.get(e164);
      if (running !== undefined) running.again = true;
      else if (underWay.size < UNDER_WAY_MAX) {
        const entry = { again: false, work: Promise.resolve() };
        underWay.set(e164, entry);
        entry.work = look(e164);
      }
    },
    settle: async () => {
      await Promise.all([...underWay.values()].map(({ work }) => work));
    },
  };
}

/** @returns whether it went back to quarantine */
export async function requarantineIfBroken(deps: MoveDeps, input: { e164: string; actor: string }): Promise<boolean> {
  const check = await deps.db.transaction(async (tx) => {
    const known = await lockNumber(tx, input.e164);
    if (known.state !== "available") return null;
    const rule = await readQuarantineSettings(tx);
    const since = watchedSince({ rule, availableSince: known.stateSince, now: known.now });
    const { distinctCallers } = await summarizeIntercepts(tx, { ...known, quarantinedAt: since });
    const { isBroken, rateLowerBoundPerDay } = breaksBound({
      rule,
      watchedSince: since,
      distinctCallers,
      now: known.now,
    });
    if (!isBroken) return null;
    const days = ((known.now - since) / DAY_MS).toFixed(1);
    const rate = `at least ${rateLowerBoundPerDay.toPrecision(3)} a day, the limit is ${rule.maxRatePerDay}`;
    const reason = `called again: ${distinctCallers} distinct callers in ${days} days (${rate})`;
    return (await quarantineLocked(tx, known, { reason, actor: input.actor })).check;
  });
  if (check !== null) deps.schedule.checkLater(check);
  return check !== null;
}

// Two callers at least since it became available; who they are is counted under lock, number by number.
const SELECT_CALLED = sql(
  "number_select_called",
  `select n.e164 from intercept i join promo_number n on n.id = i.number_id and n.ownership_epoch = i.ownership_epoch
   where i.at >= $1 and n.state = 'available' and i.at >= n.state_since and i.not_counted_reason is distinct from 'spam_caller'
   group by n.e164 having count(*) >= 2 order by max(i.at) desc limit $2`,
);

/** Looks at every available number that was called lately. For the job; a changed rule is applied by it as well. @returns how many went back */
export async function requarantineBroken(deps: MoveDeps, input: { actor: string }): Promise<number> {
  const called = await listCalled(deps.db);
  let count = 0;
  for (const { e164 } of called) if (await requarantineIfBroken(deps, { e164, actor: input.actor })) count++;
  return count;
}

async function listCalled(db: Queryable): Promise<{ e164: string }[]> {
  const now = await databaseNow(db);
  const rule = await readQuarantineSettings(db);
  const since = watchedSince({ rule, availableSince: 0, now });
  return db.query(SELECT_CALLED, [timestamp(since), LOOKED_AT_MAX]);
}
