/**
 * Every move of a number through its life, each one transaction with an audited row: assign, remove, quarantine, release, retire, and
 * `advanceNumber`, which a job calls when a number is due. Callers pass the returned schedule on to the job queue; losing it only delays.
 */
import { type Database, type Queryable, sqlState } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { insertStatement } from "./cleanliness.store.js";
import { type InterceptSummary, summarizeIntercepts } from "./intercepts.store.js";
import {
  lockNumber,
  writeMove,
  writeNextCheck,
  writeRetirementProposal,
  type LockedNumber,
  type PromoNumber,
} from "./numbers.store.js";
import { freeOverflow } from "./overflow-number.js";
import { getPool } from "./pools.store.js";
import { canMove, removalOf, type NumberRole, type NumberState } from "./promo-number.js";
import { type Cleanliness, HOLD_S_RECOMMENDED, judgeQuarantine, retirementProposalAt } from "./quarantine.js";
import { type QuarantineSettings, readQuarantineSettings } from "./quarantine-settings.js";
import { retainedUntilOf } from "./retained-until.js";

/** When a job must look at a number again. Keyed by epoch: a job of a former life does nothing. */
export interface NumberCheck {
  readonly e164: string;
  readonly ownershipEpoch: number;
  /** From now, by the database's clock. */
  readonly delayMs: number;
}

/** Told after commit; the sweeper finds what it loses. */
export interface NumberSchedule {
  checkLater(check: NumberCheck): void;
}

export interface MoveDeps {
  readonly db: Database;
  readonly schedule: NumberSchedule;
}

interface Why {
  readonly reason: string;
  readonly actor: string;
}

/**
 * Inside the caller's transaction: an available number becomes the pool's.
 * @throws AppError("account_limit") when the account may take no more; whoever takes several asks account-room.store.ts before
 */
export async function assignNumber(
  tx: Queryable,
  known: LockedNumber,
  input: Why & { accountId: string; poolId: string; role: NumberRole },
): Promise<PromoNumber> {
  assertMove(known, "assigned");
  const { accountId, poolId, role, reason, actor } = input;
  const move = { state: "assigned", role, accountId, poolId, nextCheckAt: null, reason, actor } as const;
  try {
    return await writeMove(tx, known, move);
  } catch (error) {
    if (sqlState(error) !== ACCOUNT_LIMIT) throw error;
    throw new AppError("account_limit", "The account's number_limit or monthly_number_cap is reached.", {
      cause: error,
    });
  }
}

/** SQLSTATE of the trigger within_account_limits. */
const ACCOUNT_LIMIT = "RM001";

/** Inside the caller's transaction: an assigned number leaves its pool, draining first while somebody may still call. */
export async function removeNumber(
  tx: Queryable,
  known: LockedNumber,
  input: Why & { drainS: number; retentionS: number; skipDraining: boolean },
): Promise<{ number: PromoNumber; check: NumberCheck }> {
  const removal = removalOf({
    retainedUntil: await retainedUntilOf(tx, known, input.retentionS),
    drainS: input.drainS,
    skipDraining: input.skipDraining,
    now: known.now,
  });
  if (removal.to === "quarantined") return quarantineLocked(tx, known, input);
  assertMove(known, "draining");
  const number = await writeMove(tx, known, {
    state: "draining",
    role: known.role,
    accountId: known.accountId,
    poolId: known.poolId,
    nextCheckAt: removal.until,
    reason: input.reason,
    actor: input.actor,
  });
  return { number, check: checkOf(number, removal.until, known.now) };
}

/** @throws AppError("illegal_transition") when it is quarantined or retired already */
export async function quarantineNumber(
  deps: MoveDeps,
  input: Why & { e164: string; accountId: string | null },
): Promise<PromoNumber> {
  const { number, check } = await deps.db.transaction(async (tx) => {
    const known = await lockNumber(tx, input.e164);
    assertOwner(known, input.accountId);
    return quarantineLocked(tx, known, input);
  });
  deps.schedule.checkLater(check);
  return number;
}

/**
 * Back to the available inventory.
 * @throws AppError("not_clean") unless the rule says it is clean or `force` is given; AppError("illegal_transition") when not quarantined
 */
export async function releaseNumber(
  deps: MoveDeps,
  input: Why & { e164: string; force: boolean },
): Promise<PromoNumber> {
  return deps.db.transaction(async (tx) => {
    const known = await lockNumber(tx, input.e164);
    assertMove(known, "available");
    const verdict = await judge(tx, known);
    const { isClean, earliestReleaseAt } = verdict.judged;
    if (!isClean && !input.force) {
      const at = new Date(earliestReleaseAt).toISOString();
      throw new AppError("not_clean", `It is not clean before ${at}; an admin may release it with force and a reason.`);
    }
    return release(tx, known, verdict, { ...input, reason: isClean ? input.reason : `forced: ${input.reason}` });
  });
}

/** @throws AppError("illegal_transition") while a business holds it */
export async function retireNumber(deps: MoveDeps, input: Why & { e164: string }): Promise<PromoNumber> {
  return deps.db.transaction(async (tx) => {
    const known = await lockNumber(tx, input.e164);
    assertMove(known, "retired");
    const { reason, actor } = input;
    return writeMove(tx, known, {
      state: "retired",
      role: null,
      accountId: null,
      poolId: null,
      nextCheckAt: null,
      reason,
      actor,
    });
  });
}

export type Advance =
  | { readonly kind: "nothing_to_do" }
  | { readonly kind: "quarantined" | "not_yet"; readonly check: NumberCheck }
  | { readonly kind: "released" };

/**
 * What is due for a number: end its draining, or release it if it is clean, else look again when it could be. Idempotent; a stale epoch is
 * nothing to do. Never early: the database's clock and the row under lock decide, not the job's delay.
 */
export async function advanceNumber(
  deps: MoveDeps,
  input: { e164: string; ownershipEpoch: number; actor: string },
): Promise<Advance> {
  const advance = await deps.db.transaction(async (tx): Promise<Advance> => {
    const known = await lockNumber(tx, input.e164);
    if (known.ownershipEpoch !== input.ownershipEpoch) return { kind: "nothing_to_do" };
    if (known.state === "draining") return finishDraining(tx, known, input.actor);
    if (known.state === "assigned" && known.role === "overflow") return unshare(tx, known, input.actor);
    if (known.state !== "quarantined") return { kind: "nothing_to_do" };
    const verdict = await judge(tx, known);
    if (verdict.judged.isClean) {
      await release(tx, known, verdict, { reason: "clean by the quarantine rule", actor: input.actor });
      return { kind: "released" };
    }
    await proposeOrWithdraw(tx, known, verdict, input.actor);
    const next = nextCheckOf(verdict, known);
    await writeNextCheck(tx, known.id, next);
    return { kind: "not_yet", check: checkOf(known, next, known.now) };
  });
  if ("check" in advance) deps.schedule.checkLater(advance.check);
  return advance;
}

async function finishDraining(tx: Queryable, known: LockedNumber, actor: string): Promise<Advance> {
  const until = known.nextCheckAt ?? known.now;
  if (until > known.now) return { kind: "not_yet", check: checkOf(known, until, known.now) };
  const { check } = await quarantineLocked(tx, known, { reason: "draining is over", actor });
  return { kind: "quarantined", check };
}

/** An overflow number whose pool may share none any more, as soon as it is long enough ago that anybody was shown it. */
async function unshare(tx: Queryable, known: LockedNumber, actor: string): Promise<Advance> {
  const due = known.nextCheckAt ?? Number.POSITIVE_INFINITY;
  if (due > known.now) return { kind: "nothing_to_do" };
  const pool = await getPool(tx, { id: known.poolId as string, accountId: null });
  const next = pool.overflow === "overflow_number" ? null : await freeOverflow(tx, known, { ...pool, actor });
  await writeNextCheck(tx, known.id, next);
  if (next === null) return { kind: "nothing_to_do" };
  return { kind: "not_yet", check: checkOf(known, next, known.now) };
}

/** Inside the caller's transaction: from wherever it is to quarantine, without an owner. */
export async function quarantineLocked(
  tx: Queryable,
  known: LockedNumber,
  why: Why,
): Promise<{ number: PromoNumber; check: NumberCheck }> {
  assertMove(known, "quarantined");
  const rule = await readQuarantineSettings(tx);
  const judged = judgeQuarantine({ rule, enteredAt: known.now, distinctCallers: 0, now: known.now });
  const next = nextCheckOf({ rule, judged, enteredAt: known.now }, known);
  const short = rule.holdS < HOLD_S_RECOMMENDED ? ` (hold of ${rule.holdS} s is below the recommended 45 days)` : "";
  const number = await writeMove(tx, known, {
    state: "quarantined",
    role: null,
    accountId: null,
    poolId: null,
    nextCheckAt: next,
    reason: why.reason + short,
    actor: why.actor,
  });
  return { number, check: checkOf(number, next, known.now) };
}

/** The next owner may ask what was known of it now, whatever the rule says by then. */
async function release(tx: Queryable, known: LockedNumber, verdict: Verdict, why: Why): Promise<PromoNumber> {
  const { reason, actor } = why;
  await insertStatement(tx, { number: known, ...verdict, reason, actor });
  return writeMove(tx, known, {
    state: "available",
    role: null,
    accountId: null,
    poolId: null,
    nextCheckAt: null,
    reason,
    actor,
  });
}

interface Verdict {
  readonly rule: QuarantineSettings;
  readonly summary: InterceptSummary;
  readonly judged: Cleanliness;
  readonly enteredAt: Instant;
}

async function judge(tx: Queryable, known: LockedNumber): Promise<Verdict> {
  const rule = await readQuarantineSettings(tx);
  const summary = await summarizeIntercepts(tx, known);
  const enteredAt = known.quarantinedAt ?? known.now;
  const { distinctCallers } = summary;
  return { rule, summary, enteredAt, judged: judgeQuarantine({ rule, enteredAt, distinctCallers, now: known.now }) };
}

/** A number that never comes clean is proposed for retirement; a rule that is changed may take that back. It is retired by an admin only. */
async function proposeOrWithdraw(tx: Queryable, known: LockedNumber, verdict: Verdict, actor: string): Promise<void> {
  const at = proposalOf(verdict);
  const isDue = at !== null && at <= known.now;
  if (isDue === (known.retirementProposedAt !== null)) return;
  const callers = verdict.summary.distinctCallers;
  const reason = isDue
    ? `proposed for retirement: not clean yet, ${callers} distinct callers`
    : "retirement not proposed any more";
  await writeRetirementProposal(tx, known, { at: isDue ? known.now : null, reason, actor });
}

/** When it could be clean, or, if that comes first, when it is to be proposed for retirement. */
function nextCheckOf(verdict: Pick<Verdict, "rule" | "judged" | "enteredAt">, { now }: LockedNumber): Instant {
  const { earliestReleaseAt } = verdict.judged;
  const proposeAt = proposalOf(verdict);
  return proposeAt !== null && proposeAt > now ? Math.min(earliestReleaseAt, proposeAt) : earliestReleaseAt;
}

function proposalOf({ rule, enteredAt }: Pick<Verdict, "rule" | "enteredAt">): Instant | null {
  return retirementProposalAt({ rule, retireAfterS: rule.retireAfterS, enteredAt });
}

export function checkOf(number: { e164: string; ownershipEpoch: number }, at: Instant, now: Instant): NumberCheck {
  return { e164: number.e164, ownershipEpoch: number.ownershipEpoch, delayMs: Math.max(0, at - now) };
}

function assertMove(known: PromoNumber, to: NumberState): void {
  if (!canMove(known.state, to)) {
    throw new AppError("illegal_transition", `A number that is ${known.state} cannot become ${to}.`);
  }
}

/** Another account's number does not exist for the asker. */
function assertOwner(known: PromoNumber, accountId: string | null): void {
  if (accountId !== null && known.accountId !== accountId) throw new AppError("not_found", "There is no such number.");
}
