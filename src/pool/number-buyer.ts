/** Buys numbers that the available inventory lacks. The port that pool scaling asks and the carrier inventory answers. */
import type { NumberType } from "../telephony/npa.js";

export interface NumberOrder {
  /** Names what is ordered for good: asked again with the same key, the same order goes on, and nothing is bought twice. */
  readonly key: string;
  readonly accountId: string;
  readonly poolId: string;
  readonly numberType: NumberType;
  /** Area codes that fit, best first; null: any of the type. */
  readonly npas: readonly string[] | null;
  /** Local numbers without area codes: the country's they have to be ("+44"). Null: `npas` say enough. */
  readonly callingCode: string | null;
  /** Still wanted. With what was ordered under this key before, no more than that is ordered. */
  readonly count: number;
  readonly reason: string;
  readonly actor: string;
}

export interface OrderOutcome {
  /** Available in the inventory now (E.164), whenever they came. */
  readonly bought: readonly string[];
  /** Ordered from a carrier that delivers later: they appear in the inventory then. */
  readonly pending: number;
  /** Why fewer than asked; null when all were bought or ordered. */
  readonly refused: string | null;
}

export interface NumberBuyer {
  /** Never throws for what a carrier refuses. @throws AppError("database_unavailable") */
  buy(order: NumberOrder): Promise<OrderOutcome>;
}
