/**
 * Whether a conversion is told once more. A call has one conversion at a network: while nothing changed it is told once, and a changed value is told
 * again only where the network replaces the former one. Pure.
 */
import type { ToldConversion } from "../../../account/outgoing/deliveries.store.js";
import type { SkipReason } from "./tellable-call.js";

export type Change =
  | { readonly kind: "tell" }
  | { readonly kind: "nothing" }
  | { readonly kind: "skipped"; readonly reason: SkipReason };

/** @param told null: nothing was told of the call. @param now null: it is no conversion (any more) */
export function changeOf(input: {
  told: ToldConversion | null;
  now: ToldConversion | null;
  canRestate: boolean;
}): Change {
  const { told, now, canRestate } = input;
  if (now === null) return told === null ? { kind: "nothing" } : { kind: "skipped", reason: "cannot_be_taken_back" };
  if (told === null) return { kind: "tell" };
  const isSameValue = told.value === now.value && told.currency === now.currency;
  if (isSameValue && (told.who === null || told.who === now.who)) return { kind: "nothing" };
  // A value that is gone is not said by leaving it out: the network keeps the one it has.
  if (canRestate && !isSameValue && now.value !== null) return { kind: "tell" };
  return { kind: "skipped", reason: "cannot_be_restated" };
}
