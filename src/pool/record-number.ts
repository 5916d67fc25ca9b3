/** A number that was bought comes into the inventory, in one transaction with the order's item. Called by run-order.ts. */
import type { Database, Queryable } from "../db/database.js";
import type { Log } from "../kernel/log.js";
import type { E164 } from "../telephony/e164.js";
import { type OrderedNumbers, type OrderItem } from "./number-orders.store.js";
import { type HeldOrder, type ItemChange, writeItem } from "./order-runs.store.js";
import { findNumber, insertNumbers, lockNumber, writeMove } from "./numbers.store.js";

interface Recording {
  readonly db: Database;
  readonly log: Log;
  readonly order: OrderedNumbers;
  readonly held: HeldOrder;
}

/** Another run has the order: what was begun here is undone. */
class LeaseLost extends Error {}

/** @param input.state available: it is here · ordering: the carrier delivers it later */
export async function recordNumber(
  deps: Recording,
  input: { item: OrderItem; number: E164; ref: string; state: "available" | "ordering"; waitMs: number },
): Promise<"go_on" | "lost"> {
  const { order } = deps;
  const { item, number, ref, state, waitMs } = input;
  const { carrier, credentialId, actor } = order;
  const reason = state === "available" ? `bought: ${order.reason}` : `ordered: ${order.reason}`;
  return inOneStep(deps, async (tx) => {
    const done = state === "available";
    const change = {
      state: done ? "done" : "pending",
      number,
      carrierRef: ref,
      attempts: done ? item.attempts : 0,
    } as const;
    await write(tx, deps, item, { ...change, isUncertain: false, waitMs });
    // It may be there: somebody took it over from the carrier's list while we did not know how the order had ended.
    await insertNumbers(tx, { numbers: [{ number, carrier, credentialId, state }], reason, actor });
    deps.log.info(done ? "number.bought" : "number.ordered", { number, carrier, orderId: order.id, itemId: item.id });
  });
}

/** The carrier has delivered, or will not. */
export async function recordDelivered(
  deps: Recording,
  input: { item: OrderItem; to: "available" | "retired"; problem: string | null },
): Promise<"go_on" | "lost"> {
  const { item, to, problem } = input;
  const number = item.number as E164;
  const { actor, reason } = deps.order;
  return inOneStep(deps, async (tx) => {
    const known = (await findNumber(tx, number)) === null ? null : await lockNumber(tx, number);
    // An admin may have retired it meanwhile; then it stays.
    if (known?.state === "ordering") {
      const why = to === "available" ? `delivered: ${reason}` : `order failed: ${problem ?? "no reason given"}`;
      const nobody = { role: null, accountId: null, poolId: null, nextCheckAt: null };
      await writeMove(tx, known, { state: to, ...nobody, reason: why, actor });
    }
    const { carrierRef, attempts } = item;
    const done = to === "available";
    const change = done ? { state: "done" as const, number, carrierRef } : { state: "refused" as const, number: null };
    await write(tx, deps, item, { ...change, attempts, isUncertain: false, problem });
    deps.log.info(done ? "number.delivered" : "number.order_failed", {
      number,
      orderId: deps.order.id,
      itemId: item.id,
    });
  });
}

async function inOneStep(deps: Recording, work: (tx: Queryable) => Promise<void>): Promise<"go_on" | "lost"> {
  try {
    await deps.db.transaction(work);
    return "go_on";
  } catch (error) {
    if (error instanceof LeaseLost) return "lost";
    throw error;
  }
}

async function write(tx: Queryable, deps: Recording, item: OrderItem, change: ItemChange): Promise<void> {
  if ((await writeItem(tx, deps.held, item.id, change)) !== "written") throw new LeaseLost();
}
