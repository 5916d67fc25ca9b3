/**
 * Erlang B: the share of visitors who find every number of a pool locked, when visitors who find none go away (A. K. Erlang, 1917; it holds
 * whatever the distribution of the holds, only their mean counts). Pure.
 */

/**
 * B(0) = 1, B(n) = A·B(n−1) / (n + A·B(n−1)): no factorial and no power, so nothing overflows or cancels, at any size.
 * @param erlangs offered load A = arrivals per second × mean hold in seconds
 * @param numbers numbers that visitors can get (the overflow number is not one of them), an integer ≥ 0
 */
export function erlangB(erlangs: number, numbers: number): number {
  let share = 1;
  for (let n = 1; n <= numbers; n++) share = (erlangs * share) / (n + erlangs * share);
  return share;
}

/** @returns the fewest numbers whose overflow share is at most `target`; `max` when that many are not enough */
export function numbersForOverflow(input: { erlangs: number; target: number; max: number }): number {
  const { erlangs, target, max } = input;
  let share = 1;
  let n = 0;
  while (share > target && n < max) {
    n++;
    share = (erlangs * share) / (n + erlangs * share);
  }
  return n;
}
