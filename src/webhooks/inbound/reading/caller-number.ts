/** Callers' numbers as carriers give them. Used by the carriers' adapters. */
import { type E164, parseE164 } from "../../../telephony/e164.js";

/** RESTRICTED, BLOCKED, UNKNOWN, ANONYMOUS and UNAVAILABLE on a phone's keys: what Twilio, and who follows it, sends for a number that is withheld. */
const WITHHELD: ReadonlySet<string> = new Set(["+7378742833", "+2562533", "+8656696", "+266696687", "+86282452253"]);

/** @returns null when it is withheld or no E.164 number (a word, a SIP address) */
export function callerNumberOf(text: string): E164 | null {
  return WITHHELD.has(text) ? null : parseE164(text);
}
