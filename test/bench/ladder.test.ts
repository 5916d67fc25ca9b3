import { describe, expect, test } from "vitest";
import {
  afterStep,
  type Climb,
  hasPassed,
  inTurn,
  LADDER,
  ratesOfLaterClimb,
  startClimb,
} from "../../bench/invite/ladder.js";

/** Climbs until it stops; `passes` is asked for every try. @returns the rates tried, in order, and the result */
function climb(
  rates: readonly number[],
  passes: (rate: number, tries: number) => boolean,
): { tried: number[]; best: number } {
  const tried: number[] = [];
  let now: Climb = startClimb(rates);
  while (now.kind === "climbing") {
    const { rate } = now;
    tried.push(rate);
    now = afterStep(now, passes(rate, tried.filter((one) => one === rate).length));
  }
  return { tried, best: now.best };
}

describe("the ladder", () => {
  test("goes from 200 to 3,000 calls a second, upwards", () => {
    expect([LADDER[0], LADDER.at(-1)]).toEqual([200, 3000]);
    expect([...LADDER].sort((a, b) => a - b)).toEqual(LADDER);
  });

  test("a step that fails twice ends the climb at the step below", () => {
    expect(climb([200, 300, 400, 500], (rate) => rate < 400)).toEqual({ tried: [200, 300, 400, 400], best: 300 });
  });

  test("a step that passes when repeated is passed, and the next one may be repeated again", () => {
    expect(climb([200, 300, 400], (_rate, tries) => tries === 2)).toEqual({
      tried: [200, 200, 300, 300, 400, 400],
      best: 400,
    });
  });

  test("a climb that passes everything ends at the top", () => {
    expect(climb([200, 300], () => true)).toEqual({ tried: [200, 300], best: 300 });
  });

  test("a climb that passes nothing has no result", () => {
    expect(climb([200, 300], () => false)).toEqual({ tried: [200, 200], best: 0 });
  });

  test.each([
    { failed: 1, calls: 2000, passed: true },
    { failed: 2, calls: 2000, passed: false },
    { failed: 0, calls: 2000, passed: true },
  ])("$failed failed of $calls: passed $passed", ({ failed, calls, passed }) => {
    expect(hasPassed({ failed, calls })).toBe(passed);
  });

  test("a later climb begins at 60 % of the first result, or at the bottom", () => {
    expect(ratesOfLaterClimb([200, 300, 400, 500], 500)).toEqual([300, 400, 500]);
    expect(ratesOfLaterClimb([200, 300, 400, 500], 490)).toEqual([200, 300, 400, 500]);
    expect(ratesOfLaterClimb([200, 300], 0)).toEqual([200, 300]);
  });

  test("the sides take turns at going first", () => {
    expect([0, 1, 2].map((round) => inTurn(["bare", "full"], round)[0])).toEqual(["bare", "full", "bare"]);
  });
});
