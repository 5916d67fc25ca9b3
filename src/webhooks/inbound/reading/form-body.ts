/**
 * application/x-www-form-urlencoded, read strictly: what cannot be decoded is refused instead of replaced, because signatures are computed over
 * the decoded values. For carriers that post forms.
 */
import { AppError } from "../../../kernel/errors.js";

/** A key that comes several times has its values in order. No prototype: any key is only a key. */
export type FormParams = Readonly<Record<string, string | readonly string[]>>;

/** @throws AppError("unreadable_body") for anything that is no form in UTF-8 */
export function parseForm(raw: Buffer): FormParams {
  const params = Object.create(null) as Record<string, string | string[]>;
  try {
    for (const [key, value] of pairsOf(raw)) {
      const known = params[key];
      if (known === undefined) params[key] = value;
      else if (typeof known === "string") params[key] = [known, value];
      // In place: a form of one name alone, which nobody has signed, took a second to copy again and again.
      else known.push(value);
    }
  } catch (error) {
    throw new AppError("unreadable_body", "The body is not a form in UTF-8.", { cause: error });
  }
  return params;
}

/** One field without looking at the others' values. Null when it is missing or empty. @throws AppError("unreadable_body") */
export function peekFormField(raw: Buffer, name: string): string | null {
  const prefix = `${name}=`;
  const pair = raw
    .toString("latin1")
    .split("&")
    .find((part) => part.startsWith(prefix));
  if (pair === undefined) return null;
  const value = parseForm(Buffer.from(pair, "latin1"))[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function* pairsOf(raw: Buffer): Generator<[string, string]> {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  for (const part of text.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    yield at < 0 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
  }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
