/**
 * Text that PostgreSQL can keep: no U+0000, no surrogate without its partner. Everything a client sends is checked once, before its schema:
 * one such string in a batch of 256 visitors would cost all of them a second statement.
 */
import type { FieldError } from "../kernel/errors.js";

const UNSAFE = /[\0\p{Cs}]/u;
const UNSAFE_ALL = /[\0\p{Cs}]/gu;
/** Enough to see what is wrong; a body of nothing else must not grow a larger answer. */
const REPORTED_MAX = 20;
const MESSAGE = "must not contain U+0000 or an unpaired surrogate";

export function isSafeText(text: string): boolean {
  return !UNSAFE.test(text);
}

/** The same text without what cannot be kept: for text we cut or decoded ourselves, where a refusal would punish the wrong party. */
export function safeTextOf(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, "") : text;
}

/** Every unsafe string in a parsed value, field names included. A loop, not recursion: a client decides how deep its body is. */
export function unsafeTextIn(value: unknown): FieldError[] {
  const found: FieldError[] = [];
  const left: { path: string; value: unknown }[] = [{ path: "", value }];
  for (let next = left.pop(); next !== undefined && found.length < REPORTED_MAX; next = left.pop()) {
    const { path, value: here } = next;
    if (typeof here === "string") {
      if (!isSafeText(here)) found.push({ path, message: MESSAGE });
    } else if (typeof here === "object" && here !== null) {
      for (const [name, inner] of Object.entries(here)) {
        if (isSafeText(name)) left.push({ path: path === "" ? name : `${path}.${name}`, value: inner });
        else found.push({ path, message: `a field name ${MESSAGE}` });
      }
    }
  }
  return found;
}
