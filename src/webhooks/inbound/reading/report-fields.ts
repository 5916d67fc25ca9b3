/** Fields of a carrier's report, whatever they were carried in: read strictly, refused by name. Used by the carriers' adapters. */
import { AppError } from "../../../kernel/errors.js";
import { callDurationMs } from "./event-times.js";
import type { FormParams } from "./form-body.js";

/** A field's text; empty when it is missing. @throws AppError("invalid_value") when it is no single text */
export type Field = (name: string) => string;

/** Of a form, or a query read like one: no carrier sends a field twice. */
export function formField(params: FormParams): Field {
  return (name) => {
    const value = params[name] ?? "";
    if (typeof value !== "string") throw invalidField(name, "comes more than once");
    return value;
  };
}

/** Of a JSON object. Numbers and booleans are taken as they are written: carriers change between "12" and 12. */
export function jsonField(object: Readonly<Record<string, unknown>>): Field {
  return (name) => {
    const value = object[name] ?? "";
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw invalidField(name, "must be text");
  };
}

/** Twilio's ids are 34 characters; those of others are longer. */
const CALL_ID = /^[\x21-\x7e]{1,256}$/;

export function callIdOf(field: Field, name: string): string {
  const id = field(name);
  if (!CALL_ID.test(id)) throw invalidField(name, "must be 1 to 256 printable characters");
  return id;
}

/** Whole seconds as ms; null when it is no duration. */
export function durationMs(seconds: string): number | null {
  return /^\d{1,6}$/.test(seconds) ? callDurationMs(Number(seconds) * 1000) : null;
}

/** A SIP final or provisional status; null when there is none. */
export function sipStatusOf(code: string): number | null {
  return /^[1-6]\d\d$/.test(code) ? Number(code) : null;
}

/** A verdict in word characters and hyphens; null when there is none. */
export function verstatOf(text: string): string | null {
  const verstat = text.trim().replace(/\s+/g, "-");
  return /^[\w-]{1,64}$/.test(verstat) ? verstat : null;
}

/** Only what identifies a delivery, printable and short. */
export function keyOf(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/[^\x21-\x7b\x7d\x7e]/g, "").slice(0, 256)).join("|");
}

export function invalidField(field: string, message: string): AppError {
  return new AppError("invalid_value", `${field} ${message}.`, { fields: [{ path: field, message }] });
}
