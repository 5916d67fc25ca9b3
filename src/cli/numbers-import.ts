import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { AppError, messageOf } from "../kernel/errors.js";
import { type NewNumber, insertNumbers } from "../pool/numbers.store.js";
import { normalizeNumber } from "../telephony/e164.js";
import type { Command } from "./command.js";
import { withDatabase } from "./with-database.js";

/** As many as one API request takes. */
const BATCH_MAX = 10_000;

export const numbersCommand: Command = {
  help: `Usage: ringmatch numbers import FILE [--carrier NAME]

FILE has one number a line (the first column of a CSV; a header line is passed over). Numbers that are there already are left as they are.`,
  run: async (words) => {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { carrier: { type: "string" } },
    });
    const [file] = positionals;
    if (file === undefined) throw new AppError("invalid_value", "Name the file with the numbers.");
    const { numbers, invalid } = readNumbers(file, values.carrier ?? null);
    const added = await withDatabase(async (db) => {
      let count = 0;
      for (let i = 0; i < numbers.length; i += BATCH_MAX) {
        const batch = numbers.slice(i, i + BATCH_MAX);
        count += (await insertNumbers(db, { numbers: batch, reason: "import", actor: "cli" })).size;
      }
      return count;
    });
    console.log(`${added} added, ${numbers.length - added} known already, ${invalid.length} not readable.`);
    for (const line of invalid) console.error(`  line ${line.at}: ${line.text}`);
    if (invalid.length > 0) process.exitCode = 1;
  },
};

function readNumbers(
  file: string,
  carrier: string | null,
): { numbers: NewNumber[]; invalid: { at: number; text: string }[] } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new AppError("invalid_value", `The file cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const numbers = new Map<string, NewNumber>();
  const invalid: { at: number; text: string }[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const cell = (line.split(/[,;\t]/)[0] ?? "").replace(/^"|"$/g, "").trim();
    if (cell === "" || (index === 0 && !/\d/.test(cell))) continue;
    const number = normalizeNumber(cell);
    if (number === null) invalid.push({ at: index + 1, text: cell });
    else numbers.set(number, { number, carrier, credentialId: null });
  }
  return { numbers: [...numbers.values()], invalid };
}
