/**
 * Events that carriers post as JSON: one object in UTF-8, its fields read with suspicion. For the adapters whose carrier sends JSON. `peek…` may be used
 * before a signature passes: it never says what is wrong with a field.
 */
import { AppError } from "../../kernel/errors.js";

export type JsonEvent = Readonly<Record<string, unknown>>;

/** @throws AppError("unreadable_body") for anything that is no JSON object in UTF-8 */
export function parseJsonEvent(raw: Buffer): JsonEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw));
  } catch (error) {
    throw new AppError("unreadable_body", "The body is no JSON in UTF-8.", { cause: error });
  }
  const event = asObject(parsed);
  if (event === null) throw new AppError("unreadable_body", "The body is no JSON object.");
  return event;
}

/** Null unless it is a text with something in it. */
export function peekText(event: JsonEvent, name: string): string | null {
  const value = event[name];
  return typeof value === "string" && value !== "" ? value : null;
}

/** Null unless it is an object. */
export function peekObject(event: JsonEvent, name: string): JsonEvent | null {
  return asObject(event[name]);
}

/** Empty when missing or null. @throws AppError("invalid_value") when it is no text */
export function textIn(event: JsonEvent, name: string): string {
  const value = event[name] ?? "";
  if (typeof value !== "string") throw invalidField(name, "must be a text");
  return value;
}

/** @throws AppError("invalid_value") when it is missing, empty or no text */
export function requiredTextIn(event: JsonEvent, name: string): string {
  const text = textIn(event, name);
  if (text === "") throw invalidField(name, "is missing");
  return text;
}

/** Carriers' ids have 32 to 80 characters. */
const CALL_ID = /^[\x21-\x7e]{1,256}$/;

/** @throws AppError("invalid_value") */
export function callIdIn(event: JsonEvent, name: string): string {
  const id = textIn(event, name);
  if (!CALL_ID.test(id)) throw invalidField(name, "must be 1 to 256 printable characters");
  return id;
}

/** Names a delivery: printable and short, whatever the fields held. */
export function deliveryKeyOf(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/[^\x21-\x7b\x7d\x7e]/g, "").slice(0, 256)).join("|");
}

export function invalidField(field: string, message: string): AppError {
  return new AppError("invalid_value", `${field} ${message}.`, { fields: [{ path: field, message }] });
}

function asObject(value: unknown): JsonEvent | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonEvent) : null;
}
