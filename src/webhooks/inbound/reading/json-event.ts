/**
 * Events that carriers post as JSON: one object in UTF-8, its fields read with suspicion. For the adapters whose carrier sends JSON. `peek…` may be used
 * before a signature passes: it never says what is wrong with a field.
 */
import { AppError } from "../../../kernel/errors.js";
import { isJsonObject } from "../../../kernel/json-object.js";
import { callIdOf, invalidField } from "./report-fields.js";

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

/** @throws AppError("invalid_value") */
export function callIdIn(event: JsonEvent, name: string): string {
  return callIdOf((field) => textIn(event, field), name);
}

function asObject(value: unknown): JsonEvent | null {
  return isJsonObject(value) ? value : null;
}
