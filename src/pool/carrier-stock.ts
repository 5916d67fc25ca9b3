/**
 * What a carrier has to sell for an order, best area code first, read when it is needed; no number is offered twice in a run. One for each run of an
 * order (run-order.ts).
 */
import { callingCodeOf } from "../telephony/calling-code.js";
import { type E164, parseE164 } from "../telephony/e164.js";
import { classifyNumber } from "../telephony/npa.js";
import type { NumberCarrier } from "./carrier-inventory/number-carrier.js";
import type { OrderedNumbers } from "./number-orders.store.js";

/** Numbers looked at beyond those needed: some are taken by others meanwhile. */
const SPARE_STOCK = 20;
/** Twilio shows no more on a page of stock that is worth reading. */
const STOCK_MAX = 200;

export class CarrierStock {
  private readonly offered = new Set<E164>();
  private waiting: E164[] = [];
  private isEmpty = false;

  constructor(
    private readonly carrier: NumberCarrier,
    private readonly order: OrderedNumbers,
  ) {}

  /** @returns null when there is no more. @throws CarrierFault */
  async next(): Promise<E164 | null> {
    if (this.waiting.length === 0 && !this.isEmpty) await this.read();
    const number = this.waiting.shift() ?? null;
    if (number !== null) this.offered.add(number);
    return number;
  }

  private async read(): Promise<void> {
    const { numberType: type, npas, callingCode, count } = this.order;
    const limit = Math.min(count + SPARE_STOCK, STOCK_MAX);
    for (const npa of npas ?? [null]) {
      const stock = await this.carrier.searchStock({ type, npa, callingCode, limit });
      this.waiting.push(...stock.filter((number) => this.fits(number, npa) && !this.offered.has(number)));
      if (this.waiting.length >= limit) return;
    }
    // Nothing new came: asking again would show the same.
    this.isEmpty = this.waiting.length === 0;
  }

  /** A carrier may show neighbours of what was asked for. */
  private fits(number: E164, npa: string | null): boolean {
    const { numberType, callingCode } = this.order;
    const is = classifyNumber(number);
    if (parseE164(number) === null || is.type !== numberType || (npa !== null && is.npa !== npa)) return false;
    return callingCode === null || callingCodeOf(number) === callingCode;
  }
}
