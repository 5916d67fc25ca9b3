/** Times and whole numbers on the command line, refused with a sentence that names the option. */
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { instantIn } from "../http/contract/scalars.js";

/** @throws AppError("invalid_value") when it is missing or no time */
export function timeOption(name: string, text: string | undefined): Instant {
  const read = instantIn.safeParse(text);
  if (read.success) return read.data;
  throw new AppError("invalid_value", `--${name} takes an ISO 8601 time such as 2026-11-23T17:42:00Z, or a date.`);
}

/** @throws AppError("invalid_value") when `to` is not after `from` */
export function windowOptions(values: { from?: string | undefined; to?: string | undefined }): {
  from: Instant;
  to: Instant;
} {
  const from = timeOption("from", values.from);
  const to = timeOption("to", values.to);
  if (to <= from) throw new AppError("invalid_value", "--to must be after --from.");
  return { from, to };
}

/** @throws AppError("invalid_value") */
export function wholeOption(name: string, text: string, bounds: { least: number; most: number }): number {
  const value = Number(text);
  const { least, most } = bounds;
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new AppError("invalid_value", `--${name} must be a whole number from ${least} to ${most}.`);
}
