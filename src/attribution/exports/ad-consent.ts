/**
 * What a visitor's consent says of a purpose. Pages give it as they have it, most often in the words of Google's consent mode
 * (developers.google.com/tag-platform/security/guides/consent: `granted` or `denied`); booleans and 0/1 are read alike. Called before conversions leave
 * the house. Pure.
 */

/** Google's consent mode; other words of a page are kept in the record and say nothing here. */
export type ConsentPurpose = "ad_storage" | "ad_user_data" | "ad_personalization" | "analytics_storage";
/** unknown: the page gave none, or in words we do not know. It neither allows nor forbids. */
export type ConsentAnswer = "granted" | "denied" | "unknown";

const GRANTED: readonly unknown[] = [true, 1, "granted", "true", "1", "yes"];
const DENIED: readonly unknown[] = [false, 0, "denied", "false", "0", "no"];

export function consentTo(consent: Readonly<Record<string, unknown>> | null, purpose: ConsentPurpose): ConsentAnswer {
  if (consent === null || !Object.hasOwn(consent, purpose)) return "unknown";
  const given = consent[purpose];
  const answer = typeof given === "string" ? given.trim().toLowerCase() : given;
  if (DENIED.includes(answer)) return "denied";
  return GRANTED.includes(answer) ? "granted" : "unknown";
}
