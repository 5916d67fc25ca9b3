/**
 * Randomness drawn from the system 4 KB at a time: a call needs some ten tags, branches and numbers, and each draw by itself costs 10 us. No byte is
 * handed out twice.
 */
import type { Random } from "../../kernel/random.js";

const POOL_BYTES = 4_096;

export function pooledRandom(random: Random): Random {
  let pool: Buffer = Buffer.alloc(0);
  let used = 0;
  return {
    bytes(count) {
      if (count > POOL_BYTES) return random.bytes(count);
      if (used + count > pool.length) {
        pool = random.bytes(POOL_BYTES);
        used = 0;
      }
      used += count;
      return pool.subarray(used - count, used);
    },
    uuid: () => random.uuid(),
  };
}
