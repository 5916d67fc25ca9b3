/**
 * How a pool grows and shrinks by itself. Pure; autoscale-run.ts gathers the facts and does what is decided here.
 *
 * Up, one step an interval, when there is need:
 *  - a visitor found no free number since the last look, or
 *  - the pool is below its smallest size, or
 *  - at the load it carries now (locked numbers) Erlang's B formula expects more than 1 % of visitors to find none. Unlike a fixed share of
 *    locked numbers this fits small pools (one of two locked is much) and large ones (eighty of a hundred are fine). ITU-T E.501, Erlang 1917.
 * A short horizon (N/λ) is no trigger: accuracy is bought on purpose, with the figures of the pool's sizing, not by traffic alone.
 *
 * Down, when there is no need, only numbers that nobody was presented, called or held for as long as a call could be attributed, and
 *  - in the last hours of the account's billing cycle: for a day at least, all of them; a day holds every hour's peak once, and who was presented
 *    longest ago is next, so a number that a whole day left alone was not needed at its peak;
 *  - else, a step an interval: for a week at least, which holds the weekend too.
 */
import { erlangB } from "./erlang-b.js";
import type { Instant } from "../kernel/clock.js";
import { type AccountNumbers, roomOf } from "./account-room.js";
import type { AutoscaleRule } from "./pools.store.js";

/** More than this share of visitors without a number is too much. */
export const OVERFLOW_SHARE_MAX = 0.01;
/** The billing boundary: this long before the next cycle unused numbers go, so that it does not pay for them. */
export const BOUNDARY_S = 6 * 3600;
export const BOUNDARY_IDLE_S = 86_400;
export const ROLLING_IDLE_S = 7 * 86_400;
/** One decision is one transaction: what it locks must stay within seconds. */
export const STEP_MAX = 1_000;

export interface ScaleFacts {
  readonly now: Instant;
  /** Null: the pool has no autoscale settings. */
  readonly rule: AutoscaleRule | null;
  readonly size: number;
  /** Of these, numbers for visitors (not the overflow number), and how many of them are locked right now. */
  readonly usable: number;
  readonly locked: number;
  readonly minSize: number;
  readonly maxSize: number;
  /** Visitors without a free number since `seenAt`. */
  readonly exhaustions: number;
  readonly seenAt: Instant;
  /** When growth was last wanted; null: never. */
  readonly triedAt: Instant | null;
  /** How long ago the number that is next was presented, in s: the horizon N/λ as measured. Null while there is one that never was. */
  readonly horizonS: number | null;
  /** Ordered for this pool and not here yet. */
  readonly onOrder: number;
  /** Matching numbers in the available inventory, counted up to what a step can take. */
  readonly available: number;
  readonly canBuy: boolean;
  readonly account: AccountNumbers;
  /** Numbers unused for max(retention, a day), and max(retention, a week). */
  readonly idleForBoundary: number;
  readonly idleForRolling: number;
}

/** Why, for programs. */
export type ScaleCode =
  | "need"
  | "billing_boundary"
  | "idle"
  | "off"
  | "no_need"
  | "too_soon"
  | "on_order"
  | "max_size"
  | "number_limit"
  | "monthly_number_cap"
  | "inventory_short";

export type ScalePlan =
  /** `take` from the inventory, `order` from the carrier; together at most `wanted`. */
  | {
      readonly kind: "grow";
      readonly wanted: number;
      readonly take: number;
      readonly order: number;
      readonly code: ScaleCode;
      readonly reason: string;
    }
  | {
      readonly kind: "shrink";
      readonly wanted: number;
      readonly idleS: number;
      readonly code: ScaleCode;
      readonly reason: string;
    }
  /** `wanted`: numbers that were needed and could not be had. */
  | { readonly kind: "none"; readonly wanted: number; readonly code: ScaleCode; readonly reason: string };

export function planScale(facts: ScaleFacts): ScalePlan {
  const { rule } = facts;
  if (rule === null || !rule.enabled) return none(0, "off", "Autoscaling is off; the pool keeps its size.");
  const need = needOf(facts);
  return need === null ? planShrink(facts, rule) : planGrowth(facts, rule, need);
}

/** A share of the pool, its absolute cap, and one at least: a pool of two must be able to grow. */
export function stepOf(rule: Pick<AutoscaleRule, "growthPercent" | "maxStep">, size: number): number {
  const share = Math.floor((size * rule.growthPercent) / 100);
  return Math.min(Math.max(1, share), rule.maxStep, STEP_MAX);
}

function needOf(facts: ScaleFacts): string | null {
  const { exhaustions, seenAt, size, minSize, usable, locked } = facts;
  if (exhaustions > 0) {
    return `${exhaustions} ${exhaustions === 1 ? "visitor" : "visitors"} found no free number since ${iso(seenAt)}`;
  }
  if (size < minSize) return `the pool holds ${size} numbers and should hold ${minSize}`;
  if (usable === 0) return "the pool has no number for visitors";
  const overflow = erlangB(locked, usable);
  if (overflow <= OVERFLOW_SHARE_MAX) return null;
  return `${locked} of ${usable} numbers are locked, so that ${percent(overflow)} of visitors would find none (limit ${percent(OVERFLOW_SHARE_MAX)})`;
}

function planGrowth(facts: ScaleFacts, rule: AutoscaleRule, need: string): ScalePlan {
  const { now, size, maxSize, triedAt, onOrder, available, canBuy, account } = facts;
  const step = stepOf(rule, size);
  const nextAt = triedAt === null ? now : triedAt + rule.intervalS * 1000;
  if (nextAt > now) {
    return none(
      step,
      "too_soon",
      `${capital(need)}; the pool grows once in ${rule.intervalS} s, next at ${iso(nextAt)}.`,
    );
  }
  const inPool = maxSize - size - onOrder;
  if (inPool <= 0) {
    const waiting = onOrder > 0 ? ` and ${onOrder} on order` : "";
    return none(step, "max_size", `${capital(need)}; the pool holds ${size}${waiting} of at most ${maxSize}.`);
  }
  // A slow carrier must not be sent a new step at each interval: what is on its way is this step.
  if (onOrder >= step) return none(step, "on_order", `${capital(need)}; ${onOrder} numbers are on order already.`);
  const room = roomOf(account);
  if (room.count <= 0) return none(step, room.code ?? "max_size", `${capital(need)}; ${room.reason}.`);
  const wanted = Math.min(step - onOrder, inPool, room.count);
  const take = Math.min(wanted, available);
  const order = canBuy ? wanted - take : 0;
  if (take + order === 0) {
    return none(
      wanted,
      "inventory_short",
      `${capital(need)}; the inventory has no matching number and none can be bought.`,
    );
  }
  const short = take + order < wanted ? `; the inventory has only ${available} matching` : "";
  return { kind: "grow", wanted, take, order, code: "need", reason: `${capital(need)}${short}.` };
}

function planShrink(facts: ScaleFacts, rule: AutoscaleRule): ScalePlan {
  const { now, size, minSize, onOrder, account, idleForBoundary, idleForRolling } = facts;
  // What was just wanted must not go: first let it come.
  if (onOrder > 0) return none(0, "on_order", `Nothing is needed; ${onOrder} numbers are on order.`);
  const spare = Math.max(0, Math.min(size - minSize, spareFor(facts)));
  const isBoundary = account.cycleEndsAt - now <= BOUNDARY_S * 1000;
  if (isBoundary) {
    const count = Math.min(idleForBoundary, spare, STEP_MAX);
    const idleS = BOUNDARY_IDLE_S;
    const reason = `The billing cycle ends at ${iso(account.cycleEndsAt)}; ${idleForBoundary} numbers were neither presented nor called.`;
    if (count > 0) return { kind: "shrink", wanted: count, idleS, code: "billing_boundary", reason };
  }
  const count = Math.min(idleForRolling, spare, stepOf(rule, size));
  const reason = `${idleForRolling} numbers were neither presented nor called for a week.`;
  if (count > 0) return { kind: "shrink", wanted: count, idleS: ROLLING_IDLE_S, code: "idle", reason };
  return none(0, "no_need", `Nobody was without a number since ${iso(facts.seenAt)}, and no spare number is unused.`);
}

/** How many may go so that the load of this moment would not call them back at once. */
function spareFor({ usable, locked }: ScaleFacts): number {
  let needed = 0;
  for (let blocked = 1; blocked > OVERFLOW_SHARE_MAX && needed < usable; ) {
    needed++;
    blocked = (locked * blocked) / (needed + locked * blocked);
  }
  return usable - needed;
}

/** The facts as the stored decision shows them. */
export function inputsOf(facts: ScaleFacts): Record<string, unknown> {
  const { rule, account } = facts;
  return {
    size: facts.size,
    usable: facts.usable,
    locked: facts.locked,
    min_size: facts.minSize,
    max_size: facts.maxSize,
    exhaustions: facts.exhaustions,
    since: iso(facts.seenAt),
    expected_overflow_share: erlangB(facts.locked, facts.usable),
    horizon_s: facts.horizonS,
    last_tried_at: facts.triedAt === null ? null : iso(facts.triedAt),
    on_order: facts.onOrder,
    available: facts.available,
    can_buy: facts.canBuy,
    unused_for_boundary: facts.idleForBoundary,
    unused_for_week: facts.idleForRolling,
    growth_percent: rule?.growthPercent ?? null,
    max_step: rule?.maxStep ?? null,
    interval_s: rule?.intervalS ?? null,
    ...accountInputsOf(account),
  };
}

export function accountInputsOf(account: AccountNumbers): Record<string, unknown> {
  return {
    number_limit: account.numberLimit,
    numbers_held: account.held,
    monthly_number_cap: account.monthlyNumberCap,
    numbers_taken: account.taken,
    account_on_order: account.onOrder,
    cycle_ends_at: iso(account.cycleEndsAt),
  };
}

function none(wanted: number, code: ScaleCode, reason: string): ScalePlan {
  return { kind: "none", wanted, code, reason };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}
