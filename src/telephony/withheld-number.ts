/** Numbers that say that a number is withheld. Asked wherever a carrier names a party: webhooks and SIP. */

/** RESTRICTED, BLOCKED, UNKNOWN, ANONYMOUS and UNAVAILABLE on a phone's keys, as Twilio, and who follows it, writes them. No country has such numbers. */
const SPELLED: ReadonlySet<string> = new Set(["+7378742833", "+2562533", "+8656696", "+266696687", "+86282452253"]);

/** @param text with its +: without, one of them reads as a number of Austin */
export function isWithheldNumber(text: string): boolean {
  return SPELLED.has(text);
}
