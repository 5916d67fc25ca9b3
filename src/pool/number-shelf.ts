/**
 * Which number of a simulated pool is given next. `longestUnpresented` is the allocator's order; `anyFree` draws one at random, as other products do
 * (domain notes §5.2), to show what the order is worth. Every lock lasts as long, so locks end in the order of presentations. Pure.
 */

export interface NumberShelf {
  /** An unlocked number at `atS`; null: all are locked. */
  free(atS: number): number | null;
  /** The number presented longest ago, locked or not; null: there are none. */
  oldest(): number | null;
  presented(number: number, atS: number): void;
}

export function longestUnpresented({ numbers, lockS }: { numbers: number; lockS: number }): NumberShelf {
  const line = createLine(numbers);
  const presentedAt = new Float64Array(numbers).fill(-Infinity);
  return {
    free: (atS) => {
      const first = line.first();
      return first === null || atS - (presentedAt[first] as number) < lockS ? null : first;
    },
    oldest: () => line.first(),
    presented: (number, atS) => {
      presentedAt[number] = atS;
      line.toEnd(number);
    },
  };
}

/** @param random uniform in [0, 1) */
export function anyFree(rules: { numbers: number; lockS: number }, random: () => number): NumberShelf {
  const { numbers, lockS } = rules;
  const locked = createLine(numbers);
  const presentedAt = new Float64Array(numbers).fill(-Infinity);
  const free = Array.from({ length: numbers }, (_, number) => number);
  /** Where a number stands in `free`; -1: it is locked. */
  const place = Int32Array.from(free);
  for (const number of free) locked.remove(number);

  const take = (number: number): void => {
    const at = place[number] as number;
    if (at < 0) return;
    const last = free.pop() as number;
    if (last !== number) {
      free[at] = last;
      place[last] = at;
    }
    place[number] = -1;
  };
  const unlock = (atS: number): void => {
    for (let first = locked.first(); first !== null; first = locked.first()) {
      if (atS - (presentedAt[first] as number) < lockS) return;
      locked.remove(first);
      place[first] = free.length;
      free.push(first);
    }
  };
  return {
    free: (atS) => {
      unlock(atS);
      return free[Math.floor(random() * free.length)] ?? null;
    },
    oldest: () => locked.first() ?? free[0] ?? null,
    presented: (number, atS) => {
      take(number);
      presentedAt[number] = atS;
      locked.toEnd(number);
    },
  };
}

interface Line {
  first(): number | null;
  /** Also one that was removed. */
  toEnd(number: number): void;
  remove(number: number): void;
}

/** Numbers in the order of their latest presentation: a ring of links, the entry after the last number is its head. */
function createLine(numbers: number): Line {
  const head = numbers;
  const next = Int32Array.from({ length: numbers + 1 }, (_, i) => (i === numbers ? 0 : i + 1));
  const before = Int32Array.from({ length: numbers + 1 }, (_, i) => (i === 0 ? numbers : i - 1));
  const link = (left: number, right: number): void => {
    next[left] = right;
    before[right] = left;
  };
  const remove = (number: number): void => {
    link(before[number] as number, next[number] as number);
    link(number, number);
  };
  return {
    first: () => (next[head] === head ? null : (next[head] as number)),
    remove,
    toEnd: (number) => {
      remove(number);
      link(before[head] as number, number);
      link(number, head);
    },
  };
}
