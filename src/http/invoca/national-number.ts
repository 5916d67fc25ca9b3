/** Numbers as the Invoca API writes them: ten digits without a country code, or 866-555-1234. Others than North American ones keep theirs. Pure. */

/** @returns `8663906665` */
export function nationalDigits(e164: string): string {
  return e164.startsWith("+1") && e164.length === 12 ? e164.slice(2) : e164.replace(/^\+/, "");
}

/** @returns `866-390-6665`; outside of North America, or what is no number, as it is */
export function dashed(number: string): string {
  const digits = nationalDigits(number);
  return /^\d{10}$/.test(digits) && number.startsWith("+1")
    ? `${digits.slice(0, 3)}-${digits.slice(3, 6)}-${digits.slice(6)}`
    : number;
}

/** A caller whom the key may not see: twelve characters as well. */
export function masked(last4: string): string {
  return `XXX-XXX-${last4.padStart(4, "X")}`;
}
