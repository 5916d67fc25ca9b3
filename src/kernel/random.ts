/** The one place that draws randomness, so that tests can replace it. */
import { randomBytes, randomUUID } from "node:crypto";

export interface Random {
  bytes(count: number): Buffer;
  uuid(): string;
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  uuid: () => randomUUID(),
};
