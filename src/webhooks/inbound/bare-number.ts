/** E.164 numbers without their +, as some carriers write them (Plivo, Vonage). Used by those carriers' adapters. */
import { type E164, parseE164 } from "../../telephony/e164.js";

const BARE = /^[1-9]\d{6,14}$/;

/** ANONYMOUS on a phone's keys: what networks put into the caller's number when it is withheld. As E.164 it would be a subscriber in Lesotho. */
const ANONYMOUS_ON_KEYS = "266696687";

/** The number with its +; anything else, a SIP URI for one, as it was sent. */
export function withPlus(text: string): string {
  return BARE.test(text) ? `+${text}` : text;
}

/** As these carriers want numbers. */
export function withoutPlus(number: string): string {
  return number.replace(/^\+/, "");
}

/** @returns null for what is no number: "anonymous", "Restricted", a user's name, a SIP URI, nothing */
export function bareE164(text: string): E164 | null {
  const number = withPlus(text);
  return number === `+${ANONYMOUS_ON_KEYS}` ? null : parseE164(number);
}
