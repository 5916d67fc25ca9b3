/** The one place that draws randomness, so that tests can replace it. */
import { randomBytes, randomUUID } from "node:crypto";

export interface Random {
  bytes(count: number): Buffer;
  uuid(): string;
}

/** A draw costs a system call whatever its size (16 % of a presentation's time was three of them), so ids are cut from a block. */
const BLOCK_BYTES = 4096;
/** Keys and secrets are drawn by themselves: nothing else ever held their bytes. */
const FROM_BLOCK_MAX = 16;

let block = Buffer.alloc(0);
let used = 0;

export const systemRandom: Random = {
  bytes: (count) => (count > FROM_BLOCK_MAX ? randomBytes(count) : fromBlock(count)),
  uuid: () => randomUUID(),
};

function fromBlock(count: number): Buffer {
  if (used + count > block.length) {
    block = randomBytes(BLOCK_BYTES);
    used = 0;
  }
  const bytes = block.subarray(used, used + count);
  used += count;
  return bytes;
}
