/** Values as Invoca's clients send them: strings stand for numbers and booleans. What is not readable is noted by field, in Rails' words. Pure. */
import { isJsonObject } from "../../kernel/json-object.js";

export const BLANK = "can't be blank";

/** Collects what is wrong with a request, field by field, so that one answer tells all. */
export class FieldReader {
  readonly wrong: Record<string, string[]> = {};

  constructor(private readonly body: Readonly<Record<string, unknown>>) {}

  refuse(name: string, message: string): void {
    (this.wrong[name] ??= []).push(message);
  }

  isGiven(name: string): boolean {
    return !isBlank(this.body[name]);
  }

  /** @returns undefined when not given or noted as wrong */
  text(name: string, options: { max: number; required?: boolean }): string | undefined {
    const value = this.body[name];
    if (isBlank(value)) {
      if (options.required === true) this.refuse(name, BLANK);
      return undefined;
    }
    if (typeof value !== "string" && typeof value !== "number") return this.none(name, "is invalid");
    const text = String(value).trim();
    return text.length > options.max ? this.none(name, `is too long (maximum is ${options.max} characters)`) : text;
  }

  integer(name: string, range: { min: number; max: number }): number | undefined {
    const value = this.body[name];
    if (isBlank(value)) return undefined;
    const number = typeof value === "string" && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number)) return this.none(name, "is not a number");
    if (number < range.min) return this.none(name, `must be greater than or equal to ${range.min}`);
    return number > range.max ? this.none(name, `must be less than or equal to ${range.max}`) : number;
  }

  flag(name: string): boolean | undefined {
    const value = this.body[name];
    if (isBlank(value)) return undefined;
    return readFlag(value) ?? this.none(name, "is not included in the list");
  }

  /** An object, such as local_center. */
  hash(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.body[name];
    if (value === undefined || value === null) return undefined;
    return isJsonObject(value) ? value : this.none(name, "is invalid");
  }

  private none(name: string, message: string): undefined {
    this.refuse(name, message);
  }
}

/** true, "true", 1, "1", "Yes", and their opposites, in any case. @returns undefined for anything else */
export function readFlag(value: unknown): boolean | undefined {
  const text = String(value).trim().toLowerCase();
  if (["true", "1", "yes"].includes(text)) return true;
  return ["false", "0", "no"].includes(text) ? false : undefined;
}

export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

/** The first of a query parameter that may be repeated. @returns undefined when it is not there */
export function firstOf(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" ? first : undefined;
}
