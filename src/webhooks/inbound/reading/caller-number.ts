/** Numbers of callers, and of who forwarded them, as carriers give them. Used by the carriers' adapters. */
import { type E164, parseE164 } from "../../../telephony/e164.js";
import { isWithheldNumber } from "../../../telephony/withheld-number.js";

/** @returns null when it is withheld or no E.164 number (a word, a SIP address) */
export function callerNumberOf(text: string): E164 | null {
  return isWithheldNumber(text) ? null : parseE164(text);
}
