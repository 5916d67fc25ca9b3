/**
 * The port to a carrier that sells numbers: what it has in stock, what we own there, and what happens to one number. Adapters: twilio.ts,
 * simulated.ts. A carrier's words and error codes stay in its adapter. What a carrier answers is returned; what keeps it from answering is
 * thrown as a CarrierFault, which says whether the request may have been carried out.
 */
import type { E164 } from "../../telephony/e164.js";
import type { NumberType } from "../../telephony/npa.js";
import type { NumberWebhooks } from "./number-webhooks.js";

export interface StockQuery {
  readonly type: NumberType;
  /** Null: any of the type. */
  readonly npa: string | null;
  /** "+44": local numbers of that country. Null: of the North American plan. */
  readonly callingCode: string | null;
  readonly limit: number;
}

export interface NewCarrierNumber {
  readonly number: E164;
  /** Kept by the carrier with the number, 64 characters at most: by it we find what an answer that was lost had bought. */
  readonly mark: string;
  /** Null: none are set (no PUBLIC_BASE_URL). */
  readonly webhooks: NumberWebhooks | null;
}

export type BuyOutcome =
  /** Ours, and it rings. Also when it was ours before: asking again for one number buys nothing twice. */
  | { readonly kind: "bought"; readonly ref: string }
  /** Ordered; `checkOrder(ref)` tells when it is here. */
  | { readonly kind: "pending"; readonly ref: string }
  /** This number is gone; another one may be had. */
  | { readonly kind: "taken" }
  /** None can be had: what the account may not do, or the number's country wants papers. */
  | { readonly kind: "refused"; readonly reason: string };

export type OrderProgress =
  | { readonly kind: "pending" }
  | { readonly kind: "delivered" }
  | { readonly kind: "failed"; readonly reason: string };

export interface OwnedNumber {
  /** The carrier's id of the number. */
  readonly ref: string;
  readonly number: E164;
  readonly mark: string;
  readonly webhooks: NumberWebhooks;
  /** Calls go elsewhere by a rule that outranks webhooks, e.g. to a SIP trunk; null: to the webhooks. */
  readonly steeredBy: "trunk" | "application" | null;
}

export interface OwnedPage {
  readonly numbers: readonly OwnedNumber[];
  /** For listOwned; null on the last page. */
  readonly next: string | null;
}

/** Every method may throw a CarrierFault, and nothing else. */
export interface NumberCarrier {
  readonly name: string;
  /** Numbers that could be bought now, at most `limit`; none is no error. */
  searchStock(query: StockQuery): Promise<readonly E164[]>;
  buy(wanted: NewCarrierNumber): Promise<BuyOutcome>;
  checkOrder(ref: string): Promise<OrderProgress>;
  /** Numbers of ours with exactly this mark, or with exactly this number. */
  findOwned(by: { readonly mark: string } | { readonly number: E164 }): Promise<readonly OwnedNumber[]>;
  /** @param page `next` of the page before; null: the first */
  listOwned(page: string | null): Promise<OwnedPage>;
  /** @returns false when the number is not ours any more */
  configure(ref: string, webhooks: NumberWebhooks): Promise<boolean>;
  /** Gives the number back. @returns false when it was not ours any more */
  release(ref: string): Promise<boolean>;
}
