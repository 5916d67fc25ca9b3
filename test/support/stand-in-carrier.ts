/** Buys numbers as a carrier would: each order once, by its key, whatever happens to whoever asked. */
import type { Database } from "../../src/db/database.js";
import type { NumberBuyer, NumberOrder, OrderOutcome } from "../../src/pool/number-buyer.js";
import type { E164 } from "../../src/telephony/e164.js";
import { addInventory, tollFreeNumbers } from "./world.js";

export class StandInCarrier implements NumberBuyer {
  /** Numbers paid for, by order. */
  readonly bought = new Map<string, E164[]>();
  readonly asked: NumberOrder[] = [];
  /** What is left to sell. */
  stock = Number.POSITIVE_INFINITY;
  /** Of each order, this many are delivered at once; the rest when `deliver` is called. */
  atOnce = Number.POSITIVE_INFINITY;
  /** Of what is delivered, another pool has taken so many before anybody looks. */
  quicker = 0;
  /** Fails after it bought, as a connection that breaks before the answer does. */
  breaks = false;
  private readonly owed = new Map<string, number>();

  constructor(private readonly db: Database) {}

  get paid(): number {
    return [...this.bought.values()].flat().length + [...this.owed.values()].reduce((sum, owed) => sum + owed, 0);
  }

  async buy(order: NumberOrder): Promise<OrderOutcome> {
    this.asked.push(order);
    if (!this.bought.has(order.key)) {
      const count = Math.min(order.count, this.stock);
      this.stock -= count;
      const now = Math.min(count, this.atOnce);
      const numbers = tollFreeNumbers(now);
      this.bought.set(order.key, numbers);
      this.owed.set(order.key, count - now);
      await addInventory(this.db, numbers);
    }
    if (this.breaks) throw new Error("the connection broke");
    const bought = this.bought.get(order.key) ?? [];
    const pending = this.owed.get(order.key) ?? 0;
    const refused = bought.length + pending < order.count ? "sold out" : null;
    return { bought: bought.slice(this.quicker), pending, refused };
  }

  async deliver(): Promise<void> {
    for (const [key, owed] of this.owed) {
      const numbers = tollFreeNumbers(owed);
      this.bought.get(key)?.push(...numbers);
      this.owed.set(key, 0);
      await addInventory(this.db, numbers);
    }
  }
}
