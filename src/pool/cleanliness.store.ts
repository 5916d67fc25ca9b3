/**
 * What was known of a number when it left quarantine, kept as it was: for its next owner, who may read it while they hold the number. Nothing in it
 * tells who called or who had the number before. Written by every release (number-moves.ts), never changed.
 */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { InterceptSummary } from "./intercepts.store.js";
import type { LockedNumber } from "./numbers.store.js";
import type { Cleanliness, QuarantineRule } from "./quarantine.js";

export interface CleanlinessStatement {
  readonly enteredAt: Instant;
  readonly releasedAt: Instant;
  readonly interceptedCalls: number;
  readonly distinctCallers: number;
  /** Calls that did not count, by reason. */
  readonly spamCalls: number;
  readonly repeatCalls: number;
  readonly lastInterceptedAt: Instant | null;
  readonly rateUpperBoundPerDay: number | null;
  /** The rule in force at the release. */
  readonly holdS: number;
  readonly maxRatePerDay: number;
  readonly confidence: number;
  /** False: an admin released it before the rule called it clean. */
  readonly isClean: boolean;
  readonly reason: string;
  readonly actor: string;
}

const INSERT = sql(
  "cleanliness_insert",
  `insert into cleanliness_statement (number_id, ownership_epoch, entered_at, released_at, intercepted_calls, distinct_callers, spam_calls,
     repeat_calls, last_intercepted_at, rate_upper_bound_per_day, hold_s, max_rate_per_day, confidence, is_clean, reason, actor)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
);
const SELECT_LATEST = sql(
  "cleanliness_select_latest",
  `select entered_at as "enteredAt", released_at as "releasedAt", intercepted_calls as "interceptedCalls", distinct_callers as "distinctCallers",
     spam_calls as "spamCalls", repeat_calls as "repeatCalls", last_intercepted_at as "lastInterceptedAt",
     rate_upper_bound_per_day as "rateUpperBoundPerDay", hold_s as "holdS", max_rate_per_day as "maxRatePerDay", confidence,
     is_clean as "isClean", reason, actor
   from cleanliness_statement where number_id = $1 order by id desc limit 1`,
);

export async function insertStatement(
  tx: Queryable,
  input: {
    number: LockedNumber;
    enteredAt: Instant;
    summary: InterceptSummary;
    rule: QuarantineRule;
    judged: Cleanliness;
    reason: string;
    actor: string;
  },
): Promise<void> {
  const { number, enteredAt, summary, rule, judged, reason, actor } = input;
  const { interceptedCalls, distinctCallers, spamCalls, lastInterceptedAt } = summary;
  await tx.query(INSERT, [
    number.id,
    number.ownershipEpoch,
    timestamp(enteredAt),
    timestamp(number.now),
    interceptedCalls,
    distinctCallers,
    spamCalls,
    interceptedCalls - spamCalls - distinctCallers,
    timestamp(lastInterceptedAt),
    judged.rateUpperBoundPerDay,
    rule.holdS,
    rule.maxRatePerDay,
    rule.confidence,
    judged.isClean,
    reason,
    actor,
  ]);
}

/** Of its latest release. @throws AppError("not_found") for a number that never left a quarantine */
export async function getStatement(db: Queryable, numberId: number): Promise<CleanlinessStatement> {
  const [row] = await db.query<CleanlinessStatement>(SELECT_LATEST, [numberId]);
  if (row === undefined) throw new AppError("not_found", "The number was never in quarantine, or has not left it yet.");
  return row;
}
