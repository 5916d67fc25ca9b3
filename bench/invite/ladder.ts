/**
 * The ladder that both sides of `bench -- invite` climb, and the rule by which a climb ends. Pure. A climber repeats a step that failed once, because the
 * machine is not ours alone; it stops when the step fails again. Its result is the highest step that passed.
 */

/** Calls a second. Fixed, so that results of different days can be compared. */
export const LADDER: readonly number[] = [
  200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2000, 2250, 2500,
  3000,
];
/** At this share of failed calls and above a step has not passed. */
const FAILED_SHARE_MAX = 0.001;
/** Later climbs begin so far up the first one's result: low enough to be sure, and saves half the time. */
const LATER_START_SHARE = 0.6;

export type Climb =
  | {
      readonly kind: "climbing";
      readonly rate: number;
      readonly above: readonly number[];
      readonly isRepeat: boolean;
      readonly best: number;
    }
  /** `best` is 0 when no step passed. */
  | { readonly kind: "stopped"; readonly best: number };

/** @param rates the steps to climb, lowest first */
export function startClimb(rates: readonly number[]): Climb {
  return goOn(rates, 0);
}

export function afterStep(climb: Climb & { kind: "climbing" }, hasPassed: boolean): Climb {
  if (hasPassed) return goOn(climb.above, climb.rate);
  return climb.isRepeat ? { kind: "stopped", best: climb.best } : { ...climb, isRepeat: true };
}

function goOn([rate, ...above]: readonly number[], best: number): Climb {
  return rate === undefined ? { kind: "stopped", best } : { kind: "climbing", rate, above, isRepeat: false, best };
}

export function hasPassed(step: { readonly calls: number; readonly failed: number }): boolean {
  return step.failed / step.calls < FAILED_SHARE_MAX;
}

/** The steps of a climb after one that ended at `best`: from the last step that is at most 60 % of it, else from the lowest. */
export function ratesOfLaterClimb(ladder: readonly number[], best: number): readonly number[] {
  const from = ladder.findLastIndex((rate) => rate <= best * LATER_START_SHARE);
  return ladder.slice(Math.max(0, from));
}

/** Who goes first alternates: whatever the first one leaves behind (a warm disk, a tired neighbour) is met by both. */
export function inTurn<T>(sides: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? sides : [...sides].reverse();
}
