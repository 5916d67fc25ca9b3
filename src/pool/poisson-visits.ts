/** Made-up visits: everybody new, arriving by chance at an even rate (a Poisson process). For planning a pool that has no log yet. Pure. */
import type { Visit } from "./simulate-pool.js";

/** @param random uniform in [0, 1) */
export function poissonVisits(input: { ratePerS: number; spanS: number; random: () => number }): Visit[] {
  const visits: Visit[] = [];
  for (let atS = 0; ; ) {
    atS -= Math.log1p(-input.random()) / input.ratePerS;
    if (atS >= input.spanS) return visits;
    visits.push({ atS, visitor: visits.length });
  }
}
