import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairQueue } from "../../src/pool/fair-queue.js";

interface Item {
  readonly account: string;
  readonly id: number;
}

const takeAny = { share: 0.5, fits: () => true };

function queueOf(waiting: readonly string[]): FairQueue<Item> {
  const queue = new FairQueue<Item>();
  waiting.forEach((account, id) => queue.push(account, { account, id }));
  return queue;
}

const accounts = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 60 });
const countOf = (items: readonly Item[], account: string): number => items.filter((i) => i.account === account).length;

describe("FairQueue", () => {
  it("hands out everything once, within an account in order, whatever the sizes", () => {
    fc.assert(
      fc.property(accounts, fc.integer({ min: 1, max: 20 }), (waiting, max) => {
        const queue = queueOf(waiting);
        const seen: Item[] = [];
        while (queue.size > 0) {
          const before = queue.size;
          const batch = queue.take({ ...takeAny, max });
          expect(batch.length).toBe(Math.min(max, before));
          expect(queue.size).toBe(before - batch.length);
          seen.push(...batch);
        }
        expect(seen.map((i) => i.id).sort((a, b) => a - b)).toEqual(waiting.map((_, id) => id));
        for (const account of new Set(waiting)) {
          const own = seen.filter((i) => i.account === account).map((i) => i.id);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
      }),
    );
  });

  it("gives no account more than the share before everybody who still waits has had as much", () => {
    fc.assert(
      fc.property(accounts, fc.integer({ min: 2, max: 20 }), (waiting, max) => {
        const queue = queueOf(waiting);
        const batch = queue.take({ ...takeAny, max });
        const rest = queue.take({ ...takeAny, max: 1_000 });
        const share = Math.floor(max * 0.5);
        for (const account of new Set(waiting)) {
          const othersWait = new Set(rest.map((i) => i.account).filter((other) => other !== account));
          // What the shares leave of an odd batch may go to anybody.
          const isAnyoneShort = [...othersWait].some((other) => countOf(batch, other) < share);
          if (isAnyoneShort) expect(countOf(batch, account)).toBeLessThanOrEqual(share);
        }
      }),
    );
  });

  it("comes round to every account though two of them could fill every batch for ever", () => {
    const queue = queueOf([...Array<string>(100).fill("a"), ...Array<string>(100).fill("b"), "c", "d"]);
    const first = queue.take({ ...takeAny, max: 10 });
    const second = queue.take({ ...takeAny, max: 10 });
    expect(new Set(first.map((i) => i.account))).toEqual(new Set(["a", "b"]));
    expect(second.slice(0, 2).map((i) => i.account)).toEqual(["c", "d"]);
  });

  it("leaves who does not fit in place, in front of who comes later", () => {
    const queue = queueOf(["a", "a", "a"]);
    const batch = queue.take({ max: 3, share: 0.5, fits: (i) => i.id !== 0 });
    expect(batch.map((i) => i.id)).toEqual([1, 2]);
    queue.push("a", { account: "a", id: 3 });
    expect(queue.take({ ...takeAny, max: 9 }).map((i) => i.id)).toEqual([0, 3]);
  });

  it("removes what it is told to and nothing else", () => {
    fc.assert(
      fc.property(accounts, fc.integer({ min: 1, max: 5 }), (waiting, step) => {
        const queue = queueOf(waiting);
        const removed = queue.remove((i) => i.id % step === 0);
        const rest = queue.size === 0 ? [] : queue.take({ ...takeAny, max: 1_000 });
        expect(removed.every((i) => i.id % step === 0)).toBe(true);
        expect(rest.every((i) => i.id % step !== 0)).toBe(true);
        expect(removed.length + rest.length).toBe(waiting.length);
        expect(queue.size).toBe(0);
      }),
    );
  });
});
