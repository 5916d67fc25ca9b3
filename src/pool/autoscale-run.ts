/**
 * One look at a pool: gather the facts, decide (autoscale.ts), do it and store the decision, in one transaction under the pool's lock, so that two
 * runners do no harm. Called by the scaling job and by POST /v1/pools/:id/autoscale. Quiet looks leave no decision behind.
 */
import type { Database, Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { lockAccountNumbers, readAccountNumbers } from "./account-room.store.js";
import {
  BOUNDARY_IDLE_S,
  inputsOf,
  planScale,
  ROLLING_IDLE_S,
  type ScaleFacts,
  type ScalePlan,
  STEP_MAX,
} from "./autoscale.js";
import { fittingNumbers } from "./fitting-numbers.js";
import type { NumberCheck } from "./number-moves.js";
import { drainAll, takeFromInventory, type Why } from "./pool-changes.js";
import {
  countAvailable,
  countUnused,
  lockScaling,
  pickUnused,
  type PoolScaling,
  readLoad,
  readScaling,
  writeLook,
} from "./pool-scaling.store.js";
import { getPool, lockPool, type Pool } from "./pools.store.js";
import { smallestSize } from "./ring-pool.js";
import {
  insertDecision,
  isRepeatOfLast,
  listOnOrder,
  type NewDecision,
  type ScaleDecision,
} from "./scale-decisions.store.js";
import type { ScaleDeps } from "./scale-pool.js";

/** Numbers on order for a pool that does not scale itself are looked for this often. */
const ORDER_LOOK_S = 60;
/** A pool that stays short is told once in this time, not at each look. */
const REPEAT_S = 3600;

export interface Look {
  readonly poolId: string;
  /** The job passes over pools that are not due, and writes nothing down when nothing is to be said. */
  readonly by: "job" | "asked";
  readonly actor: string;
}

/** @returns null when there was nothing to say. @throws AppError("not_found") when the pool is gone */
export async function lookAtPool(deps: ScaleDeps, look: Look): Promise<ScaleDecision | null> {
  const { decision, checks } = await deps.db.transaction((tx) => lookUnderLock(deps, tx, look));
  for (const check of checks) deps.schedule.checkLater(check);
  if (decision !== null) deps.onDecision?.(decision);
  return decision;
}

/** What a look would do, with its inputs. Writes nothing and locks nothing. */
export async function foreseeLook(
  deps: { db: Database; canBuy: boolean },
  poolId: string,
): Promise<NewDecision & { at: Instant }> {
  const pool = await getPool(deps.db, { id: poolId, accountId: null });
  const scaling = await readScaling(deps.db, pool.id);
  const facts = await gatherFacts(deps.db, { pool, scaling, canBuy: deps.canBuy, isLocked: false });
  const plan = planScale(facts);
  const done =
    plan.kind === "grow"
      ? { added: plan.take, removed: 0 }
      : { added: 0, removed: plan.kind === "shrink" ? plan.wanted : 0 };
  const ordered = plan.kind === "grow" ? plan.order : 0;
  return { ...decisionOf(pool, facts, plan, { ...done, ordered }), trigger: "asked", actor: "", at: facts.now };
}

async function lookUnderLock(
  deps: ScaleDeps,
  tx: Queryable,
  look: Look,
): Promise<{ decision: ScaleDecision | null; checks: readonly NumberCheck[] }> {
  const pool = await lockPool(tx, look.poolId);
  const scaling = await lockScaling(tx, pool.id);
  const nothing = { decision: null, checks: [] };
  if (look.by === "job" && scaling.nextScaleAt !== null && scaling.nextScaleAt > scaling.now) return nothing;
  const facts = await gatherFacts(tx, { pool, scaling, canBuy: deps.canBuy, isLocked: true });
  const plan = planScale(facts);
  await writeLook(tx, pool.id, lookOf(facts, scaling, plan));
  const trigger = look.by === "asked" ? "asked" : facts.exhaustions > 0 ? "exhausted" : "schedule";
  if (look.by === "job" && plan.kind === "none") {
    const { code } = plan;
    const isSilent = plan.wanted === 0 || code === "too_soon";
    if (isSilent || (await isRepeatOfLast(tx, { poolId: pool.id, trigger, code, withinS: REPEAT_S }))) return nothing;
  }
  const { checks, ...done } = await carryOut(deps, tx, { pool, plan, actor: look.actor });
  const decision = await insertDecision(
    { db: tx, ids: deps.ids },
    { ...decisionOf(pool, facts, plan, done), trigger, actor: look.actor },
  );
  return { decision, checks };
}

async function gatherFacts(
  db: Queryable,
  input: { pool: Pool; scaling: PoolScaling; canBuy: boolean; isLocked: boolean },
): Promise<ScaleFacts> {
  const { pool, scaling, canBuy, isLocked } = input;
  const account = await (isLocked ? lockAccountNumbers : readAccountNumbers)(db, pool.accountId);
  const { now, usable, locked, nextPresentedAt } = await readLoad(db, pool.id);
  const unused = (idleS: number): Promise<number> =>
    countUnused(db, { poolId: pool.id, idleS: idleOf(pool, idleS), limit: STEP_MAX });
  return {
    now,
    rule: pool.autoscale,
    size: pool.size,
    usable,
    locked,
    minSize: smallestSize(pool),
    maxSize: pool.maxSize,
    exhaustions: scaling.exhausted - scaling.exhaustedSeen,
    seenAt: scaling.seenAt,
    triedAt: scaling.triedAt,
    horizonS:
      nextPresentedAt === null || !Number.isFinite(nextPresentedAt) ? null : Math.floor((now - nextPresentedAt) / 1000),
    onOrder: (await listOnOrder(db, pool.id)).reduce((sum, order) => sum + order.onOrder, 0),
    available: await countAvailable(db, { fitting: fittingNumbers(pool), limit: STEP_MAX }),
    canBuy,
    account,
    idleForBoundary: await unused(BOUNDARY_IDLE_S),
    idleForRolling: await unused(ROLLING_IDLE_S),
  };
}

/** A call is attributed for as long as the retention: until then a number is in use. */
function idleOf(pool: Pool, idleS: number): number {
  return Math.max(pool.retentionS, idleS);
}

async function carryOut(
  deps: ScaleDeps,
  tx: Queryable,
  input: { pool: Pool; plan: ScalePlan; actor: string },
): Promise<{ added: number; removed: number; ordered: number; checks: readonly NumberCheck[] }> {
  const { pool, plan, actor } = input;
  const why: Why = { reason: `autoscaled: ${plan.reason}`, actor };
  switch (plan.kind) {
    case "none":
      return { added: 0, removed: 0, ordered: 0, checks: [] };
    case "grow": {
      const added = await takeFromInventory(tx, pool, { count: plan.take, ...why });
      // Another pool may have been quicker.
      return { added, removed: 0, ordered: deps.canBuy ? plan.wanted - added : 0, checks: [] };
    }
    case "shrink": {
      const idleS = idleOf(pool, plan.idleS);
      const numbers = await pickUnused(tx, { poolId: pool.id, idleS, limit: plan.wanted });
      return { added: 0, removed: numbers.length, ordered: 0, checks: await drainAll(tx, pool, numbers, why) };
    }
  }
}

function decisionOf(
  pool: Pool,
  facts: ScaleFacts,
  plan: ScalePlan,
  done: { added: number; removed: number; ordered: number },
): Omit<NewDecision, "trigger" | "actor"> {
  const { added, removed, ordered } = done;
  const moved = added + removed;
  return {
    poolId: pool.id,
    accountId: pool.accountId,
    wanted: plan.kind === "shrink" ? -plan.wanted : plan.wanted,
    ...done,
    onOrder: ordered,
    sizeBefore: facts.size,
    sizeAfter: facts.size + added - removed,
    outcome: ordered > 0 ? "on_order" : moved === 0 ? "nothing" : moved === plan.wanted ? "done" : "partial",
    code: plan.code,
    reason: plan.reason,
    inputs: inputsOf(facts),
  };
}

/** When to look again, and what this look has dealt with. Exhaustions that came too soon after the last step are left for the next one. */
function lookOf(facts: ScaleFacts, scaling: PoolScaling, plan: ScalePlan): Parameters<typeof writeLook>[2] {
  const { now, rule, triedAt } = facts;
  const isOff = rule === null || !rule.enabled;
  const intervalMs = (isOff ? ORDER_LOOK_S : rule.intervalS) * 1000;
  const isTooSoon = plan.kind === "none" && plan.code === "too_soon";
  if (isTooSoon) {
    const { exhaustedSeen, seenAt } = scaling;
    return { nextScaleAt: (triedAt ?? now) + intervalMs, triedAt, exhaustedSeen, seenAt };
  }
  const hasTried = plan.kind === "grow" || (plan.kind === "none" && plan.wanted > 0);
  return {
    nextScaleAt: now + intervalMs,
    triedAt: hasTried ? now : triedAt,
    exhaustedSeen: scaling.exhausted,
    seenAt: now,
  };
}
