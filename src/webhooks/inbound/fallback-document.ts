/**
 * A number's static answer: what its carrier is told while nobody can decide. Made for the fallback URL (fallback-route.ts) and for files on another
 * host (src/cli/fallback-export.ts). Pure.
 */
import { type Carrier, CARRIERS } from "../../account/carrier-credentials.store.js";
import { decide } from "../../routing/decision.js";
import type { RoutedNumber } from "../../routing/routed-numbers.store.js";
import type { E164 } from "../../telephony/e164.js";
import type { CarrierAdapter, CarrierAnswer, FallbackPlan } from "./carrier-adapter.js";

/** Numbers whose carrier nobody named are most likely here; a wrong guess costs nothing, for a carrier asks for its own by name. */
export const DEFAULT_CARRIER: Carrier = "twilio";

/** An adapter whose carrier takes documents. */
export type DocumentAdapter = CarrierAdapter & { readonly renderFallback: (plan: FallbackPlan) => CarrierAnswer };

/** @returns null for a carrier that takes no document; of a carrier with two languages, the one that has documents */
export function documentAdapter(adapters: readonly CarrierAdapter[], carrier: Carrier): DocumentAdapter | null {
  return adapters.find((one): one is DocumentAdapter => one.carrier === carrier && one.renderFallback !== null) ?? null;
}

/** @returns null where nobody named a carrier whose calls come by webhooks */
export function carrierOf({ carrier }: RoutedNumber): Carrier | null {
  return CARRIERS.find((one) => one === carrier) ?? null;
}

/** Rings the number's business as long as it may ring; null when it rings none. */
export function fallbackPlan(number: RoutedNumber): FallbackPlan | null {
  const decision = decide(number);
  if (decision.kind !== "route") return null;
  // Stored destinations are E.164.
  return { number: decision.destinationNumber as E164, ringTimeoutS: decision.ringTimeoutS };
}

export function fallbackDocument(adapter: DocumentAdapter, number: RoutedNumber): CarrierAnswer {
  const plan = fallbackPlan(number);
  // Of no call in particular.
  return plan === null
    ? adapter.renderRefusal("announce", { carrierCallId: "", handle: null })
    : adapter.renderFallback(plan);
}
