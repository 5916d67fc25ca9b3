/** E.164 numbers without their +, as some carriers write them (Plivo, Vonage, Sinch). Used by those carriers' adapters. */
import type { E164 } from "../../../telephony/e164.js";
import { callerNumberOf } from "./caller-number.js";

const BARE = /^[1-9]\d{6,14}$/;

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
  return callerNumberOf(withPlus(text));
}
