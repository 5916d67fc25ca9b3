/** The edge's timers: one system timer for all of one duration. Time is vitest's, so nothing waits. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { createScheduler } from "../../../src/sip/edge/timers.js";

const scheduler = () => createScheduler(systemClock, (act) => act());

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a timer", () => {
  it.each([1, 25, 500, 32_000, 900_000])("of %i ms is never early and at most 4 ms late, also behind others", (ms) => {
    const { after } = scheduler();
    const errors: number[] = [];
    for (let i = 0; i < 50; i++) {
      const due = systemClock.monotonicMs() + ms;
      after(ms, () => errors.push(systemClock.monotonicMs() - due));
      vi.advanceTimersByTime(i % 7);
    }
    vi.advanceTimersByTime(ms + 5);
    expect(errors).toHaveLength(50);
    expect(Math.min(...errors)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...errors)).toBeLessThanOrEqual(4);
  });

  it("runs once, not when it was cancelled, and cancelling it again or late does nothing", () => {
    const { after } = scheduler();
    const ran: string[] = [];
    const [first, , third] = ["a", "b", "c", "d"].map((name) => after(100, () => void ran.push(name)));
    first?.cancel();
    third?.cancel();
    first?.cancel();
    vi.advanceTimersByTime(200);
    third?.cancel();
    expect(ran).toEqual(["b", "d"]);
    after(100, () => void ran.push("e"));
    vi.advanceTimersByTime(200);
    expect(ran).toEqual(["b", "d", "e"]);
  });

  it("may set and cancel timers of its own duration while it runs", () => {
    const { after } = scheduler();
    const ran: number[] = [];
    const repeat = (): void => {
      ran.push(systemClock.monotonicMs());
      neighbour.cancel();
      after(10, repeat);
    };
    after(10, repeat);
    const neighbour = after(10, () => expect.unreachable("cancelled by the timer before it"));
    vi.advanceTimersByTime(45);
    expect(ran).toHaveLength(4);
  });

  it("may be longer than a system timer can be", () => {
    const { after } = scheduler();
    const ran = vi.fn();
    after(2 ** 32, ran);
    vi.advanceTimersByTime(2 ** 31 + 10);
    expect(ran).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2 ** 31);
    expect(ran).toHaveBeenCalledOnce();
  });

  it("never runs after stop, and leaves no system timer", () => {
    const { after, stop } = scheduler();
    const ran = vi.fn();
    after(10, ran);
    after(20, ran);
    stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(100);
    expect(ran).not.toHaveBeenCalled();
  });

  it("leaves no system timer behind once it ran", () => {
    const { after } = scheduler();
    after(10, () => undefined);
    after(20, () => undefined).cancel();
    vi.advanceTimersByTime(100);
    expect(vi.getTimerCount()).toBe(0);
  });
});
