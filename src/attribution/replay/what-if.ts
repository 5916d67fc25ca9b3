/**
 * What another pool would have made of the same visitors and callers: the pool's own visits are played through the allocator's rule with other
 * settings, and each call is made by who is known to have called it, to the number that this visitor would have seen. Called by `ringmatch replay`.
 * What the truth is taken to be, and what it cannot know, is in docs/replay.md. Pure: randomness is given.
 */
import { createLruPool, type LruPoolRules } from "../../pool/lru-pool.js";
import { anyFree } from "../../pool/number-shelf.js";

/** Seconds from any start, ascending; visitors are numbers ≥ 0. */
export interface WhatIfVisit {
  readonly atS: number;
  readonly visitor: number;
}

/** A call by a visitor who is taken for its caller. */
export type WhatIfCall = WhatIfVisit;

export interface WhatIfInput {
  readonly visits: readonly WhatIfVisit[];
  readonly calls: readonly WhatIfCall[];
  /** What comes before only fills the pool. */
  readonly countFromS: number;
  readonly rules: LruPoolRules;
  readonly order: AllocationOrder;
  /** Uniform in [0, 1); drawn from for `random` alone. */
  readonly random: () => number;
}

/** lru: presented longest ago first, as the allocator does; random: any free number. */
export type AllocationOrder = "lru" | "random";

export interface WhatIf {
  readonly calls: number;
  readonly sameVisitor: number;
  readonly otherVisitor: number;
  /** The caller's latest visit found every number locked. */
  readonly overflow: number;
  /** The retention of the number's latest presentation was over. */
  readonly expired: number;
  /** The caller's visits are all older than what was played. */
  readonly unseen: number;
  readonly visits: number;
  /** Visits that had no number already and found none, of those that had none already; null when there were none. */
  readonly overflowShare: number | null;
  /** The most numbers that were locked at one moment. */
  readonly lockedAtPeak: number;
}

const FOUND_NONE = -1;

export function playWhatIf(input: WhatIfInput): WhatIf {
  const { visits, calls, countFromS, rules, order, random } = input;
  const pool = createLruPool(rules, order === "lru" ? undefined : anyFree(rules, random));
  const shown = new Map<number, number>();
  const latest = createLatest(rules);
  const locks: Lock[] = [];
  const seen = { visits: 0, allocations: 0, overflows: 0 };
  const ends = { sameVisitor: 0, otherVisitor: 0, overflow: 0, expired: 0, unseen: 0 };
  let next = 0;
  const callUntil = (atS: number): void => {
    for (let call = calls[next]; call !== undefined && call.atS < atS; call = calls[++next])
      ends[latest.endOf(call, shown.get(call.visitor))]++;
  };
  for (const visit of visits) {
    // A presentation at the call's very moment came first.
    callUntil(visit.atS);
    const outcome = pool(visit);
    const isCounted = visit.atS >= countFromS;
    if (isCounted) seen.visits++;
    if (outcome.kind === "overflow") {
      shown.set(visit.visitor, FOUND_NONE);
      if (isCounted) seen.overflows++;
      continue;
    }
    shown.set(visit.visitor, outcome.number);
    latest.presented(outcome.number, visit);
    locks.push({ number: outcome.number, fromS: visit.atS, untilS: visit.atS + rules.lockS });
    if (isCounted && outcome.isNew) seen.allocations++;
  }
  callUntil(Infinity);
  const asked = seen.allocations + seen.overflows;
  return {
    calls: calls.length,
    ...ends,
    visits: seen.visits,
    overflowShare: asked === 0 ? null : seen.overflows / asked,
    lockedAtPeak: lockedAtPeak(locks, countFromS),
  };
}

type CallEnd = "sameVisitor" | "otherVisitor" | "overflow" | "expired" | "unseen";

/** Who was presented each number last, and when. */
function createLatest({ numbers, retentionS }: LruPoolRules) {
  const visitors = new Int32Array(numbers).fill(FOUND_NONE);
  const presentedAt = new Float64Array(numbers).fill(-Infinity);
  return {
    presented: (number: number, { visitor, atS }: WhatIfVisit): void => {
      visitors[number] = visitor;
      presentedAt[number] = atS;
    },
    endOf: ({ visitor, atS }: WhatIfCall, number: number | undefined): CallEnd => {
      if (number === undefined) return "unseen";
      if (number === FOUND_NONE) return "overflow";
      if (atS - (presentedAt[number] as number) > retentionS) return "expired";
      return visitors[number] === visitor ? "sameVisitor" : "otherVisitor";
    },
  };
}

/** One presentation's lock, as it was given. */
export interface Lock {
  readonly number: number;
  readonly fromS: number;
  readonly untilS: number;
}

/** The most numbers locked at one moment from `countFromS` on. @param locks ascending by `fromS`; a number's next presentation ends its lock */
export function lockedAtPeak(locks: readonly Lock[], countFromS: number): number {
  const nextOf = new Map<number, number>();
  const edges: { atS: number; by: 1 | -1 }[] = [];
  for (const { number, fromS, untilS } of [...locks].reverse()) {
    const endS = Math.min(untilS, nextOf.get(number) ?? Infinity);
    nextOf.set(number, fromS);
    if (endS <= Math.max(fromS, countFromS)) continue;
    edges.push({ atS: Math.max(fromS, countFromS), by: 1 }, { atS: endS, by: -1 });
  }
  // A lock that ends at a moment does not count at that moment.
  edges.sort((a, b) => a.atS - b.atS || a.by - b.by);
  let locked = 0;
  let most = 0;
  for (const { by } of edges) {
    locked += by;
    most = Math.max(most, locked);
  }
  return most;
}
