/** The file that `ringmatch export` writes: beside its place under another name first, so that what stands there is always whole. */
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { CallColumn, ShownCall } from "../http/contract/call-columns.js";
import { csvCall, csvHead, ndjsonCall } from "../http/contract/call-lines.js";
import { AppError } from "../kernel/errors.js";
import { createParquetFile } from "./parquet-file.js";

export const EXPORT_FORMATS = ["csv", "ndjson", "parquet"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

interface CallFile {
  add(shown: readonly ShownCall[]): void;
  finish(): void;
}

/**
 * @param fill writes every call; when it throws, or the process exits meanwhile, nothing stands at `path` that did not before
 * @throws AppError("invalid_value") for a path that is there and is no file
 */
export async function writeExportFile(
  input: { path: string; format: ExportFormat; columns: readonly CallColumn[] },
  fill: (add: (shown: readonly ShownCall[]) => void) => Promise<void>,
): Promise<void> {
  const { format, columns } = input;
  const path = placeOf(input.path);
  const temporary = `${path}.${process.pid}.partial`;
  const remove = (): void => rmSync(temporary, { force: true });
  process.once("exit", remove);
  try {
    const file = openFile(temporary, format, columns);
    await fill((shown) => file.add(shown));
    file.finish();
    sync(temporary);
    renameSync(temporary, path);
  } catch (error) {
    remove();
    throw error;
  } finally {
    process.off("exit", remove);
  }
}

/** Where a link leads, so that it stays. What is no file would be replaced by one: /dev/null, for everybody on the machine. */
function placeOf(path: string): string {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined) return path;
  if (there.isFile()) return realpathSync(path);
  throw new AppError(
    "invalid_value",
    `--out ${path} is no file: name one (GET /v1/calls.csv and .ndjson can be piped).`,
  );
}

function openFile(path: string, format: ExportFormat, columns: readonly CallColumn[]): CallFile {
  if (format === "parquet") {
    // Its writer takes a file as it finds it, and makes one that everybody may read.
    closeSync(openSync(path, "w", FILE_MODE));
    const file = createParquetFile(path, columns);
    return { add: (shown) => shown.forEach((call) => file.add(call)), finish: () => file.finish() };
  }
  const descriptor = openSync(path, "w", FILE_MODE);
  // Not writeSync, which on a disk that is filling up writes a part and says so by its answer alone.
  const write = (text: string): void => writeFileSync(descriptor, text);
  if (format === "csv") write(csvHead(columns));
  const lineOf = format === "csv" ? (call: ShownCall) => csvCall(columns, call) : ndjsonCall;
  return {
    add: (shown) => write(shown.map(lineOf).join("")),
    finish: () => closeSync(descriptor),
  };
}

/** It may hold callers' numbers. */
const FILE_MODE = 0o600;

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
