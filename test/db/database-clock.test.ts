import { describe, expect, it } from "vitest";
import { DatabaseClock } from "../../src/db/database-clock.js";

describe("DatabaseClock", () => {
  it("follows the database's clock as read off quick answers, and is the machine's own before", () => {
    let now = 1_000;
    const clock = new DatabaseClock({ now: () => now, monotonicMs: () => now });
    expect(clock.now()).toBe(1_000);
    clock.seen(5_000, 1_000);
    now = 1_100;
    expect(clock.now()).toBe(5_100);
    // An answer that took 100 ms says nothing better.
    clock.seen(9_000, 1_000);
    expect(clock.now()).toBe(5_100);
    clock.seen(6_000, 1_095);
    expect(clock.now()).toBe(6_005);
  });

  it("goes on when the machine's own clock is set, also between question and answer", () => {
    let [now, monotonicMs] = [1_000, 50];
    const clock = new DatabaseClock({ now: () => now, monotonicMs: () => monotonicMs });
    clock.seen(5_000, 50);
    now += 7_200_000;
    monotonicMs += 10;
    expect(clock.now()).toBe(5_010);
    clock.seen(5_020, 55);
    now -= 7_200_000;
    expect(clock.now()).toBe(5_025);
  });

  it("tells other times only when a quick answer told: a slow one is good enough for dating, not for a limit", () => {
    let monotonicMs = 150;
    const clock = new DatabaseClock({ now: () => 1_000, monotonicMs: () => monotonicMs });
    expect(clock.at(100)).toBeNull();
    clock.seen(5_000, 50);
    expect([clock.now(), clock.at(100)]).toEqual([5_100, null]);
    clock.seen(6_000, 145);
    expect(clock.at(100)).toBe(5_955);
    monotonicMs = 400;
    clock.seen(9_000, 200);
    expect(clock.at(100)).toBe(5_955);
  });
});
