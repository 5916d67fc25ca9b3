/**
 * A discrete-event simulation of a pool: real or made-up visits are given numbers by the allocator's own rule, calls follow after delays drawn
 * from the delay distribution, and it is counted who found no number and whose call went to somebody else. The check of the formulas, without
 * their assumptions (even arrivals, nobody returning). Called by `ringmatch pool size --simulate`. Pure: the randomness is given.
 *
 * The log is played in a circle: first until every number has its history, then counted, then on until the last counted call has come, so that
 * neither the empty start nor the end of the log colours the result.
 */
import { type DelayPart, drawDelay } from "./call-delays.js";
import { createLruPool, type LruPoolRules } from "./lru-pool.js";

/** In seconds from any start, ascending. */
export interface Visit {
  readonly atS: number;
  readonly visitor: number;
}

export interface SimulationInput {
  readonly visits: readonly Visit[];
  /** What the visits span; the log repeats after it. At least the last visit's time after the first. */
  readonly periodS: number;
  readonly rules: LruPoolRules;
  readonly delays: readonly DelayPart[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface Simulation {
  /** Of the visits that did not have a number already, those that found none; null when there were none. */
  readonly overflowShare: number | null;
  /** Of the calls of visitors who were presented a number, those matched to somebody else; null when there were none. */
  readonly misattribution: number | null;
  readonly allocations: number;
  readonly renewals: number;
  readonly overflows: number;
  readonly calls: number;
}

/** Enough calls that the error of a share is under 0.003. */
const CALLS_WANTED = 40_000;
/** Some seconds on one core. */
const VISITS_PLAYED_MAX = 4_000_000;

export function simulatePool(input: SimulationInput): Simulation {
  const { visits, periodS, rules, delays, random } = input;
  const rounds = planRounds(input);
  const nextVisit = nextVisitOfEach(visits);
  const callsPerVisit = Math.ceil(CALLS_WANTED / Math.max(1, visits.length));
  const visit = createLruPool(rules);
  const visitors = visits.reduce((most, { visitor }) => Math.max(most, visitor + 1), 0);
  const book = createCallBook(rules.numbers);
  const seen = { allocations: 0, renewals: 0, overflows: 0 };

  for (let round = 0; round < rounds.total; round++) {
    const isCounted = round === rounds.counted;
    for (const [i, { atS, visitor }] of visits.entries()) {
      const now = atS + round * periodS;
      // Whoever comes in the next round is somebody else.
      const outcome = visit({ atS: now, visitor: visitor + round * visitors });
      if (outcome.kind === "overflow") {
        if (isCounted) seen.overflows++;
        continue;
      }
      if (outcome.isNew) book.passOn(outcome.number, now);
      if (!isCounted) continue;
      if (outcome.isNew) seen.allocations++;
      else seen.renewals++;
      const leavesAt = (nextVisit[i] as number) + round * periodS;
      for (let call = 0; call < callsPerVisit; call++) {
        const delayS = drawDelay(delays, random);
        // Whoever comes back before calling calls after that visit instead.
        if (now + delayS < leavesAt)
          book.add(outcome.number, { atS: now + delayS, isRetained: delayS <= rules.retentionS });
      }
    }
  }
  const { calls, wrong } = book.close(rounds.total * periodS + (visits[0]?.atS ?? 0));
  const asked = seen.allocations + seen.overflows;
  return {
    ...seen,
    calls,
    overflowShare: asked === 0 ? null : seen.overflows / asked,
    misattribution: calls === 0 ? null : wrong / calls,
  };
}

interface Call {
  readonly atS: number;
  readonly isRetained: boolean;
}

/** Calls that will come on each number, until it is presented to somebody else. */
function createCallBook(numbers: number) {
  const waiting: Call[][] = Array.from({ length: numbers }, () => []);
  let calls = 0;
  let wrong = 0;
  return {
    add: (number: number, call: Call): void => void (waiting[number] as Call[]).push(call),
    passOn: (number: number, atS: number): void => {
      const list = waiting[number] as Call[];
      calls += list.length;
      for (const call of list) if (call.isRetained && call.atS >= atS) wrong++;
      list.length = 0;
    },
    /** What would come after the end is not known, and not counted. */
    close: (endS: number): { calls: number; wrong: number } => {
      for (const list of waiting) calls += list.filter((call) => call.atS <= endS || !call.isRetained).length;
      return { calls, wrong };
    },
  };
}

/**
 * Rounds before the counted one, until locks and holders are as in the middle of a day: how soon a number is presented again after its own
 * presentation does not depend on what was before. Rounds after it, until what was counted has been passed on or its retention is over.
 */
function planRounds({ visits, periodS, rules }: SimulationInput): { counted: number; total: number } {
  const affordable = Math.max(3, Math.floor(VISITS_PLAYED_MAX / Math.max(1, visits.length)));
  const horizonS = (rules.numbers * periodS) / Math.max(1, visits.length);
  const before = Math.ceil((rules.lockS + Math.min(horizonS, rules.retentionS)) / periodS);
  const after = Math.ceil(Math.min(4 * horizonS, rules.retentionS) / periodS) + 1;
  const counted = Math.min(before, Math.floor(affordable / 3));
  return { counted, total: Math.min(counted + 1 + after, affordable) };
}

/** For each visit, when the same visitor comes next; Infinity for their last. */
function nextVisitOfEach(visits: readonly Visit[]): Float64Array {
  const next = new Float64Array(visits.length).fill(Infinity);
  const latest = new Map<number, number>();
  for (const [i, { visitor, atS }] of visits.entries()) {
    const former = latest.get(visitor);
    if (former !== undefined) next[former] = atS;
    latest.set(visitor, i);
  }
  return next;
}
