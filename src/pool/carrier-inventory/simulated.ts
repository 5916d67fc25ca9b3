/**
 * A carrier that exists in this process alone: its numbers ring nowhere but here. For the demo, for trying things out and for tests; deterministic,
 * lowest number first. Shortages, latency, orders that are delivered later, and faults can be set.
 */
import type { Clock } from "../../kernel/clock.js";
import { callingCodeOf } from "../../telephony/calling-code.js";
import type { E164 } from "../../telephony/e164.js";
import { nanpAreaCode } from "../../telephony/npa.js";
import type { CarrierFault } from "./carrier-fault.js";
import type {
  BuyOutcome,
  NewCarrierNumber,
  NumberCarrier,
  OrderProgress,
  OwnedNumber,
  OwnedPage,
  StockQuery,
} from "./number-carrier.js";
import type { NumberWebhooks } from "./number-webhooks.js";

export interface SimulatedOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Numbers of one area code, or of a country without them, that are there to be sold. */
  readonly stockPerNpa?: number;
  /** Each request takes this long. */
  readonly latencyMs?: number;
  /** Numbers sold in an earlier life of this process, or by another one: they are not offered again. */
  readonly soldBefore?: () => Promise<readonly string[]>;
  /** Null: what is bought is there at once; else an order is delivered after this time. */
  readonly deliversAfterMs?: number | null;
}

const STOCK_PER_NPA = 10_000;
const OWNED_PAGE = 1000;
const NPA_OF_ANY = { toll_free: ["888", "877", "866"], local: ["415", "212", "312"] } as const;
/** Line numbers begin with the exchange 200. */
const FIRST_LINE = 2_000_000;

const NO_WEBHOOKS: NumberWebhooks = { voiceUrl: "", statusUrl: "", fallbackUrl: "" };

export class SimulatedCarrier implements NumberCarrier {
  readonly name = "simulated";
  private readonly owned = new Map<string, OwnedNumber>();
  private readonly orders = new Map<string, { readonly wanted: NewCarrierNumber; readonly dueMs: number }>();
  private readonly stock = new Map<string, number>();
  private readonly faults: CarrierFault[] = [];

  constructor(private readonly options: SimulatedOptions) {}

  /** From now on only this many numbers of the area code, or of the country ("+44"), exist. */
  setStock(area: string, count: number): void {
    this.stock.set(area, count);
  }

  /** The next request fails like this; several queue up. */
  failNext(fault: CarrierFault): void {
    this.faults.push(fault);
  }

  async searchStock({ type, npa, callingCode, limit }: StockQuery): Promise<readonly E164[]> {
    await this.request();
    const sold = new Set(await this.options.soldBefore?.());
    const found: E164[] = [];
    const area = callingCode ?? npa;
    for (const one of area === null ? NPA_OF_ANY[type] : [area]) {
      const count = this.stockOf(one);
      for (let i = 0; i < count && found.length < limit; i++) {
        const number = numberOf(one, i);
        if (!this.owned.has(number) && !this.orders.has(refOf(number)) && !sold.has(number)) found.push(number);
      }
    }
    return found;
  }

  async buy(wanted: NewCarrierNumber): Promise<BuyOutcome> {
    await this.request();
    const { number } = wanted;
    const ref = refOf(number);
    if (this.orders.has(ref)) return { kind: "pending", ref };
    if (!this.isSold(number) && !this.owned.has(number)) return { kind: "taken" };
    const { deliversAfterMs = null } = this.options;
    if (deliversAfterMs === null || this.owned.has(number)) {
      this.deliver(wanted);
      return { kind: "bought", ref };
    }
    this.orders.set(ref, { wanted, dueMs: this.options.clock.monotonicMs() + deliversAfterMs });
    return { kind: "pending", ref };
  }

  async checkOrder(ref: string): Promise<OrderProgress> {
    await this.request();
    const order = this.orders.get(ref);
    if (order === undefined) {
      return this.owned.has(ref.slice(REF_PREFIX.length))
        ? { kind: "delivered" }
        : { kind: "failed", reason: "The carrier knows no such order." };
    }
    if (this.options.clock.monotonicMs() < order.dueMs) return { kind: "pending" };
    this.orders.delete(ref);
    if (!this.isSold(order.wanted.number))
      return { kind: "failed", reason: "The carrier has no such number any more." };
    this.deliver(order.wanted);
    return { kind: "delivered" };
  }

  async findOwned(by: { readonly mark: string } | { readonly number: E164 }): Promise<readonly OwnedNumber[]> {
    await this.request();
    return [...this.owned.values()].filter((one) => ("mark" in by ? one.mark === by.mark : one.number === by.number));
  }

  async listOwned(page: string | null): Promise<OwnedPage> {
    await this.request();
    const after = page ?? "";
    const rest = [...this.owned.values()].filter(({ number }) => number > after);
    const numbers = rest.sort((a, b) => (a.number < b.number ? -1 : 1)).slice(0, OWNED_PAGE);
    return { numbers, next: rest.length > numbers.length ? (numbers.at(-1)?.number ?? null) : null };
  }

  async configure(ref: string, webhooks: NumberWebhooks): Promise<boolean> {
    await this.request();
    const known = this.owned.get(ref.slice(REF_PREFIX.length));
    if (known === undefined) return false;
    this.owned.set(known.number, { ...known, webhooks });
    return true;
  }

  async release(ref: string): Promise<boolean> {
    await this.request();
    return this.owned.delete(ref.slice(REF_PREFIX.length));
  }

  private async request(): Promise<void> {
    const { latencyMs } = this.options;
    if (latencyMs !== undefined) await new Promise((resolve) => setTimeout(resolve, latencyMs));
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
  }

  private isSold(number: E164): boolean {
    const area = nanpAreaCode(number) ?? callingCodeOf(number);
    const line = Number(number.slice(-7)) - FIRST_LINE;
    return line >= 0 && line < this.stockOf(area) && number === numberOf(area, line);
  }

  private stockOf(area: string): number {
    return this.stock.get(area) ?? this.options.stockPerNpa ?? STOCK_PER_NPA;
  }

  private deliver({ number, mark, webhooks }: NewCarrierNumber): void {
    this.owned.set(number, {
      ref: refOf(number),
      number,
      mark,
      webhooks: webhooks ?? NO_WEBHOOKS,
      steeredBy: null,
    });
  }
}

const REF_PREFIX = "SIM";

/** @param area three digits, or a country's calling code with its + */
function numberOf(area: string, line: number): E164 {
  return `${area.startsWith("+") ? area : `+1${area}`}${FIRST_LINE + line}` as E164;
}

function refOf(number: E164): string {
  return REF_PREFIX + number;
}
