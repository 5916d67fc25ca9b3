import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";
import type { Database } from "../db/database.js";
import { importNumbers, IMPORTED_STATES, type ImportedState } from "../http/import-numbers.js";
import { AppError, messageOf } from "../kernel/errors.js";
import { normalizeNumber } from "../telephony/e164.js";
import type { Command } from "./command.js";
import { type CsvRecord, readCsv } from "./csv-records.js";
import { withDatabase } from "./with-database.js";

/** As many as one API request takes. */
const BATCH_MAX = 10_000;
/** More wrong lines are one mistake. */
const SHOWN_MAX = 50;

const COLUMNS = ["number", "carrier", "credential_id", "state"] as const;
type Column = (typeof COLUMNS)[number];

export const numbersCommand: Command = {
  help: `Usage: ringmatch numbers import FILE [--carrier NAME]

FILE is CSV (comma, semicolon or tab). With a header line that has a column "number", the columns ${COLUMNS.join(", ")} are read, in any order;
others are passed over; without one, the first column of every line. --carrier holds where no carrier is given. state: ${IMPORTED_STATES.join(" or ")} (available when empty).
Numbers that are there already are left as they are. Wrong lines are listed and cost the others nothing; exit code 1 then.`,
  run: async (words) => {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { carrier: { type: "string" } },
    });
    const [file, ...others] = positionals;
    if (file === undefined) throw new AppError("invalid_value", "Name the file with the numbers.");
    if (others.length > 0) throw new AppError("invalid_value", "Name one file at a time; nothing was read.");
    const tally = await withDatabase((db) => importFile(db, { file, carrier: values.carrier ?? null }));
    console.log(`${tally.added} added, ${tally.duplicates} known already, ${tally.wrong} not readable.`);
    const shown = tally.shown.toSorted((a, b) => a.line - b.line);
    for (const { line, reason } of shown) console.error(`  line ${line}: ${reason}`);
    if (tally.wrong > shown.length) console.error(`  … and ${tally.wrong - shown.length} more`);
    if (tally.wrong > 0) process.exitCode = 1;
  },
};

interface Tally {
  added: number;
  duplicates: number;
  wrong: number;
  readonly shown: { readonly line: number; readonly reason: string }[];
}

interface Entry {
  readonly line: number;
  readonly number: string;
  readonly carrier?: string;
  readonly credential_id?: string;
  readonly state?: ImportedState;
}

/** A batch at a time: what is before a broken line stays imported. @throws AppError("invalid_value") */
async function importFile(db: Database, input: { file: string; carrier: string | null }): Promise<Tally> {
  const tally: Tally = { added: 0, duplicates: 0, wrong: 0, shown: [] };
  const refuse = (line: number, reason: string): void => {
    tally.wrong++;
    if (tally.shown.length < SHOWN_MAX) tally.shown.push({ line, reason });
  };
  /** By number: one that stands there twice is one. */
  let batch = new Map<string, Entry>();
  const send = async (): Promise<void> => {
    const sent = [...batch.values()];
    batch = new Map();
    const { added, duplicates, invalid } = await importNumbers({ db }, { entries: sent, actor: "cli" });
    tally.added += added;
    tally.duplicates += duplicates;
    for (const { index, number, reason } of invalid) refuse(sent[index]?.line ?? 0, `${number} ${reason}`);
  };
  let columns: Columns | null = null;
  for await (const record of readCsv(textOf(input.file))) {
    if (columns === null) {
      columns = columnsOf(record);
      if (columns.isHeader) continue;
    }
    const entry = entryOf(record, columns, input.carrier);
    if (typeof entry === "string") refuse(record.line, entry);
    else if (!batch.has(entry.number)) batch.set(entry.number, entry);
    if (batch.size >= BATCH_MAX) await send();
  }
  if (batch.size > 0) await send();
  return tally;
}

interface Columns {
  readonly isHeader: boolean;
  readonly at: ReadonlyMap<Column, number>;
}

/** @throws AppError("invalid_value") for a column that is there twice: nobody knows which one holds */
function columnsOf({ cells }: CsvRecord): Columns {
  const names = cells.map((cell) => cell.toLowerCase());
  const isNamed = names.includes("number");
  if (!isNamed) return { isHeader: !/\d/.test(cells[0] ?? ""), at: new Map([["number", 0]]) };
  const at = new Map<Column, number>();
  for (const [index, name] of names.entries()) {
    const column = COLUMNS.find((known) => known === name);
    if (column === undefined) continue;
    if (at.has(column)) throw new AppError("invalid_value", `The column "${name}" is there twice.`);
    at.set(column, index);
  }
  const others = names.filter((name) => !COLUMNS.some((known) => known === name));
  // A misspelt name is seen here.
  if (others.length > 0) console.error(`Columns passed over: ${others.join(", ")}.`);
  return { isHeader: true, at };
}

/** @returns what is wrong with the line, or its entry */
function entryOf({ line, cells }: CsvRecord, { at }: Columns, carrier: string | null): Entry | string {
  const cellOf = (column: Column): string => cells[at.get(column) ?? -1] ?? "";
  const number = normalizeNumber(cellOf("number"));
  if (number === null) return `${cellOf("number").slice(0, 64)} is no phone number`;
  const state = cellOf("state");
  const known = IMPORTED_STATES.find((one) => one === state);
  if (state !== "" && known === undefined)
    return `state "${state.slice(0, 64)}" is none of ${IMPORTED_STATES.join(", ")}`;
  const host = cellOf("carrier") || carrier;
  if (host !== null && !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(host)) {
    return `carrier "${host.slice(0, 64)}" must be lower-case letters, digits, - and _`;
  }
  const credentialId = cellOf("credential_id");
  return {
    line,
    number,
    ...(host === null ? {} : { carrier: host }),
    ...(credentialId === "" ? {} : { credential_id: credentialId }),
    ...(known === undefined ? {} : { state: known }),
  };
}

async function* textOf(file: string): AsyncGenerator<string> {
  try {
    for await (const chunk of createReadStream(file, { encoding: "utf8" })) yield String(chunk);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("invalid_value", `The file cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
