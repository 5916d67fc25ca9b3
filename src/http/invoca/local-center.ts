/**
 * From Invoca's place of a local pool to our area code and fallback. We know area codes and the state they lie in, no distances: an area code is taken as
 * it is, a ZIP code or state becomes that state, coordinates become nothing. Pure.
 */
import { isJsonObject } from "../../kernel/json-object.js";
import type { NpaFallback } from "../../pool/fitting-numbers.js";
import type { NumberType } from "../../telephony/npa.js";
import { npasOfRegion } from "../../telephony/npa-region.js";
import { regionOfZip } from "../../telephony/zip-region.js";
import { isBlank, readFlag } from "./read-values.js";

export const INVALID_CENTER_KEY = "Invalid Key in Local Center.";
const KEYS: ReadonlySet<string> = new Set(["tn_prefix", "zipcode", "latitude", "longitude", "city", "state"]);

export interface LocalNumbers {
  readonly numberType: NumberType;
  readonly npa: string | null;
  readonly npaFallback: readonly NpaFallback[];
}

export type LocalChoice =
  | { readonly kind: "local"; readonly numbers: LocalNumbers & { readonly numberType: "local"; readonly npa: string } }
  /** A place was named that no area code is known for. `mayUseTollFree` as the client said, or by default. */
  | { readonly kind: "unknown_place"; readonly mayUseTollFree: boolean }
  | { readonly kind: "refused"; readonly message: string };

interface Asked {
  readonly center: Readonly<Record<string, unknown>> | undefined;
  readonly preferences: Readonly<Record<string, unknown>> | undefined;
  readonly whitelist: readonly string[];
}

/** @returns null when nothing local was asked for */
export function chooseLocalNumbers({ center, preferences, whitelist }: Asked): LocalChoice | null {
  const unknown = Object.keys(center ?? {}).filter((key) => !KEYS.has(key));
  if (unknown.length > 0) return { kind: "refused", message: INVALID_CENTER_KEY };
  const strategy = preferences?.["allocation_fallback_strategy"] ?? "UseTollFree";
  if (strategy !== "UseTollFree" && strategy !== "Wait") {
    return { kind: "refused", message: "allocation_fallback_strategy must be UseTollFree or Wait." };
  }
  const given = Object.entries(center ?? {}).filter(([, value]) => !isBlank(value));
  if (given.length === 0 && whitelist.length === 0) return null;
  const npa = npaOf(Object.fromEntries(given), whitelist);
  if (npa === null) return { kind: "unknown_place", mayUseTollFree: strategy === "UseTollFree" };
  // A radius cannot be kept; the state is the bound that Invoca has by default as well. Without it we still look no farther.
  const nearby: NpaFallback[] = whitelist.length === 0 || whitelist.length > 1 ? ["same_state"] : [];
  const last: NpaFallback = strategy === "UseTollFree" ? "toll_free" : "wait";
  return { kind: "local", numbers: { numberType: "local", npa, npaFallback: [...nearby, last] } };
}

function npaOf(center: Readonly<Record<string, unknown>>, whitelist: readonly string[]): string | null {
  const prefix = String(center["tn_prefix"] ?? "").trim();
  if (/^[2-9]\d{2}/.test(prefix)) return prefix.slice(0, 3);
  const region = regionOf(center);
  const inState = region === null ? [] : npasOfRegion(region);
  if (whitelist.length > 0) return whitelist.find((npa) => inState.includes(npa)) ?? whitelist[0] ?? null;
  return inState[0] ?? null;
}

function regionOf(center: Readonly<Record<string, unknown>>): string | null {
  const zip = center["zipcode"];
  if (!isBlank(zip)) return regionOfZip(String(zip));
  const state = String(center["state"] ?? "")
    .trim()
    .toUpperCase();
  return /^[A-Z]{2}$/.test(state) ? `US-${state}` : null;
}

/** @returns null for what is no list of area codes */
export function readWhitelist(given: unknown): readonly string[] | null {
  if (isBlank(given)) return [];
  if (!Array.isArray(given)) return null;
  const npas = given.map((npa: unknown) => String(npa).trim());
  return npas.every((npa) => /^[2-9]\d{2}$/.test(npa)) ? npas : null;
}

/** @returns what is wrong with the values of local_number_preferences; null: nothing */
export function wrongPreference(preferences: unknown): string | null {
  if (preferences === undefined || preferences === null) return null;
  if (!isJsonObject(preferences)) return "is invalid";
  const { search_radius_miles: radius, restrict_search_to_state: restrict } = preferences;
  if (!isBlank(radius) && !(Number(radius) >= 0)) return "search_radius_miles must be greater than or equal to 0";
  return isBlank(restrict) || readFlag(restrict) !== undefined
    ? null
    : "restrict_search_to_state must be true or false";
}
