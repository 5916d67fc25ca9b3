/** Utilisation, overflow and horizon of the pools on a page of the pool report, one pool after the other: each reads its pool's log. */
import type { z } from "zod";
import { readNumbersHeld } from "../attribution/reports/usage.store.js";
import type { Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { readPoolLoad } from "../pool/pool-load.js";
import { WINDOW_S_MAX } from "../pool/pool-sizing.js";
import { getPool, type Pool } from "../pool/pools.store.js";
import { type poolLoadOut, showPoolLoad } from "./contract/pool-report.js";

export type ShownLoad = z.output<typeof poolLoadOut>;

/** Of a longer stretch, its last month: numbers and visitors are held against one another. @returns by pool; pools that are gone are not in it */
export async function poolLoads(
  db: Queryable,
  input: { poolIds: readonly string[]; from: Instant; to: Instant },
): Promise<ReadonlyMap<string, ShownLoad>> {
  const { to } = input;
  const from = Math.max(input.from, to - WINDOW_S_MAX * 1_000);
  const heldBy = new Map<string, ReadonlyMap<string | null, number>>();
  const loads = new Map<string, ShownLoad>();
  if (from >= to) return loads;
  for (const id of input.poolIds) {
    const pool = await findPool(db, id);
    if (pool === null) continue;
    const held = heldBy.get(pool.accountId) ?? (await heldSeconds(db, { accountId: pool.accountId, from, to }));
    heldBy.set(pool.accountId, held);
    // A pool younger than the report held nothing before it was made.
    const ageMs = Math.max(1, to - Math.max(from, pool.createdAt));
    const numbers = ((held.get(pool.id) ?? 0) * 1_000) / ageMs;
    loads.set(id, showPoolLoad(pool.name, await readPoolLoad(db, { pool, from, to, numbers })));
  }
  return loads;
}

async function findPool(db: Queryable, id: string): Promise<Pool | null> {
  try {
    return await getPool(db, { id, accountId: null });
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return null;
    throw error;
  }
}

async function heldSeconds(
  db: Queryable,
  input: { accountId: string; from: Instant; to: Instant },
): Promise<ReadonlyMap<string | null, number>> {
  const held = await readNumbersHeld(db, input);
  return new Map(held.map(({ poolId, numberSeconds }) => [poolId, numberSeconds]));
}
