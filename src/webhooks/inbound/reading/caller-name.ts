/** Names of callers as networks and carriers give them: bounded text that nobody vouches for. Used by the carriers' adapters. */

/** CNAM has 15 characters; carriers that look names up send longer ones. */
const NAME_CHARS_MAX = 128;

/** Carriers that know no name give the number again: that is no name. */
const NUMBER = /^[+\d\s().@:/-]*\d[+\d\s().@:/-]*$/;

/** @returns null when nothing is left to show */
export function safeNameOf(text: string): string | null {
  const name = text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "").trim();
  return name === "" || NUMBER.test(name) ? null : Array.from(name).slice(0, NAME_CHARS_MAX).join("");
}
