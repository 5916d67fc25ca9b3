/** Randomness that can be repeated, for simulations: the same seed gives the same draws. Never for ids, keys or anything that must not be guessed. */

/** SplitMix32 (Steele, Lea, Flood 2014, in its 32-bit form): 2³² draws until it repeats. @returns uniform in [0, 1) */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
