/** Number types of the North American Numbering Plan: toll-free by its area codes, everything else local. */

export type NumberType = "toll_free" | "local";

/** Toll-free area codes in service (47 CFR 52.101, NANPA). */
const TOLL_FREE_NPAS: ReadonlySet<string> = new Set(["800", "822", "833", "844", "855", "866", "877", "888"]);

/** The area code (NPA) of a North American number in E.164, or null when it is none. */
export function nanpAreaCode(e164: string): string | null {
  return /^\+1([2-9]\d{2})\d{7}$/.exec(e164)?.[1] ?? null;
}

export interface NumberClass {
  readonly type: NumberType;
  /** Three digits; null outside the North American plan, where type-for-type has no area code to match. */
  readonly npa: string | null;
}

export function classifyNumber(e164: string): NumberClass {
  const npa = nanpAreaCode(e164);
  return { type: npa !== null && TOLL_FREE_NPAS.has(npa) ? "toll_free" : "local", npa };
}
