import { describe, expect, it } from "vitest";
import { lockedAtPeak, playWhatIf } from "../../src/attribution/replay/what-if.js";
import { seededRandom } from "../../src/kernel/seeded-random.js";
import { createLruPool } from "../../src/pool/lru-pool.js";
import { anyFree } from "../../src/pool/number-shelf.js";

const rules = { numbers: 2, lockS: 10, retentionS: 100 };
const play = (changes: Partial<Parameters<typeof playWhatIf>[0]>) =>
  playWhatIf({ visits: [], calls: [], countFromS: 0, rules, order: "lru", random: () => 0, ...changes });

describe("playWhatIf", () => {
  it("asks of each call what its caller was shown, and who was shown it last", () => {
    const visits = [0, 1, 2, 20].map((atS, visitor) => ({ atS, visitor }));
    const calls = [
      { atS: 15, visitor: 0 },
      { atS: 16, visitor: 2 },
      { atS: 21, visitor: 0 },
      { atS: 22, visitor: 9 },
      { atS: 110, visitor: 1 },
    ];
    expect(play({ visits, calls })).toMatchObject({
      sameVisitor: 1,
      overflow: 1,
      otherVisitor: 1,
      unseen: 1,
      expired: 1,
      visits: 4,
      overflowShare: 1 / 4,
      lockedAtPeak: 2,
    });
  });

  it("a presentation at a call's very moment came first; retention is inclusive", () => {
    const one = { ...rules, numbers: 1 };
    expect(
      play({
        rules: one,
        visits: [
          { atS: 0, visitor: 0 },
          { atS: 10, visitor: 1 },
        ],
        calls: [{ atS: 10, visitor: 0 }],
      }),
    ).toMatchObject({ otherVisitor: 1 });
    expect(
      play({
        rules: one,
        visits: [{ atS: 0, visitor: 0 }],
        calls: [
          { atS: 100, visitor: 0 },
          { atS: 100.1, visitor: 0 },
        ],
      }),
    ).toMatchObject({ sameVisitor: 1, expired: 1 });
  });

  it("what comes before the window fills the pool and is not counted; reuse of the oldest leaves nobody without", () => {
    const visits = [0, 1, 2].map((atS, visitor) => ({ atS, visitor }));
    expect(play({ visits, countFromS: 2 })).toMatchObject({ visits: 1, overflowShare: 1 });
    expect(play({ visits, countFromS: 2, rules: { ...rules, reusesOldest: true } })).toMatchObject({
      overflowShare: 0,
    });
  });
});

describe("anyFree", () => {
  it("gives only free numbers, each as often, and finds every one that is free", () => {
    const random = seededRandom(1);
    const rules_ = { numbers: 8, lockS: 50, retentionS: 60 };
    const visit = createLruPool(rules_, anyFree(rules_, random));
    const until = new Array<number>(8).fill(-Infinity);
    const given = new Array<number>(8).fill(0);
    for (let atS = 0; atS < 40_000; atS += 5 + Math.floor(random() * 5)) {
      const outcome = visit({ atS, visitor: atS });
      const hasFree = until.some((end) => end <= atS);
      expect(outcome.kind).toBe(hasFree ? "presented" : "overflow");
      if (outcome.kind === "overflow") continue;
      expect(until[outcome.number]).toBeLessThanOrEqual(atS);
      until[outcome.number] = atS + 50;
      given[outcome.number] = (given[outcome.number] ?? 0) + 1;
    }
    const mean = given.reduce((sum, count) => sum + count, 0) / 8;
    for (const count of given) expect(Math.abs(count - mean) / mean).toBeLessThan(0.15);
  });
});

describe("lockedAtPeak", () => {
  it("a lock ends when its time is over or its number is presented again, and what ended before the window is no part of it", () => {
    const locks = [
      { number: 1, fromS: 0, untilS: 30 },
      { number: 2, fromS: 5, untilS: 10 },
      { number: 1, fromS: 8, untilS: 38 },
      { number: 3, fromS: 10, untilS: 12 },
    ];
    expect(lockedAtPeak(locks, 0)).toBe(2);
    expect(lockedAtPeak(locks, 12)).toBe(1);
    expect(lockedAtPeak(locks, 40)).toBe(0);
  });
});
