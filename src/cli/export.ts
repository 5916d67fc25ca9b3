/** `ringmatch export`: the calls of a window into a file, in constant memory. */
import { parseArgs } from "node:util";
import { getAccount } from "../account/accounts.store.js";
import { type FieldNames, readFieldNames } from "../attribution/exports/call-field-names.store.js";
import { type CallFilter, callPages } from "../attribution/exports/call-pages.js";
import type { Config } from "../config.js";
import type { Queryable } from "../db/database.js";
import { type CallView, showCall } from "../http/contract/call.js";
import { callColumns } from "../http/contract/call-columns.js";
import { AppError } from "../kernel/errors.js";
import { createLog } from "../kernel/log.js";
import { systemRandom } from "../kernel/random.js";
import { createSecrets } from "../kernel/secrets.js";
import type { Command } from "./command.js";
import { EXPORT_FORMATS, type ExportFormat, writeExportFile } from "./export-file.js";
import { windowOptions } from "./time-option.js";
import { withDatabase } from "./with-database.js";

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  account: { type: "string" },
  format: { type: "string" },
  out: { type: "string" },
  "reveal-callers": { type: "boolean", default: false },
} as const;

export const exportCommand: Command = {
  help: `Usage: ringmatch export --from TIME --to TIME --format csv|ndjson|parquet --out FILE [--account ID] [--reveal-callers]

Writes the calls that came in the window, newest first, as the API shows them: NDJSON as GET /v1/calls, CSV and Parquet with a column for each field
and for each touch and custom data field that occurs. FILE is complete or not there.

  --from, --to TIME   ISO 8601, or a date; --to is exclusive
  --account ID        only this account's calls
  --reveal-callers    callers' numbers and names, too: needs SECRETS_KEY (or the data directory's), and is noted in the log

GET /v1/calls.csv and .ndjson answer the same.`,
  run: async (words) => {
    const { values } = parseArgs({ args: [...words], options: OPTIONS });
    const window = windowOptions(values);
    const format = EXPORT_FORMATS.find((one) => one === values.format);
    if (format === undefined)
      throw new AppError("invalid_value", `--format takes ${EXPORT_FORMATS.join(", ")}; say which.`);
    const { out } = values;
    if (out === undefined || out === "") throw new AppError("invalid_value", "Say with --out where the file goes.");
    const input = { ...window, format, out, accountId: values.account ?? null, reveals: values["reveal-callers"] };
    const calls = await withDatabase((db, config) => exportCalls(db, config, input)).catch(asSentence);
    console.log(`${calls} calls written to ${out}.`);
  },
};

interface ExportInput {
  readonly from: number;
  readonly to: number;
  readonly accountId: string | null;
  readonly format: ExportFormat;
  readonly out: string;
  readonly reveals: boolean;
}

const NO_NAMES: FieldNames = { touch: [], customData: [], firstTouch: [] };

async function exportCalls(db: Queryable, config: Config, input: ExportInput): Promise<number> {
  const { from, to, accountId, format, out } = input;
  if (accountId !== null) await getAccount(db, accountId);
  const view = viewOf(config, input);
  const all = { promoNumber: null, poolId: null, disposition: null, attribution: null, updatedSince: null };
  const filter: CallFilter = { accountId, from, to, ...all };
  const columns = callColumns(format === "ndjson" ? NO_NAMES : await readFieldNames(db, filter));
  let written = 0;
  await writeExportFile({ path: out, format, columns }, async (add) => {
    for await (const calls of callPages(db, filter)) {
      add(calls.map((call) => showCall(call, view)));
      written += calls.length;
    }
  });
  return written;
}

/** @throws AppError("config_invalid") when callers are wanted and there is no key to open them with */
function viewOf(config: Config, { reveals, from, to, accountId, out }: ExportInput): CallView {
  if (!reveals) return { show: ({ last4 }) => ({ number: null, last4 }), reveal: () => null };
  if (config.secretsKey === null)
    throw new AppError("config_invalid", "Set SECRETS_KEY: without it callers' numbers cannot be opened.");
  const secrets = createSecrets(config.secretsKey, systemRandom);
  const log = createLog("info");
  // Before the first is opened: an export that fails has shown some as well.
  log.info("pii.revealed", { command: "export", from, to, accountId, out });
  const reveal: CallView["reveal"] = ({ callId, enc }) => {
    if (enc === null) return null;
    try {
      return secrets.open(enc);
    } catch (error) {
      // One caller sealed with a key that is gone must not end an export of a million.
      log.error("pii.unreadable", { callId, error });
      return null;
    }
  };
  return { reveal, show: ({ callId, enc, last4 }) => ({ number: reveal({ callId, enc }), last4 }) };
}

/** What the file system refuses is for the operator to put right. */
function asSentence(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof AppError || code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
  throw new AppError("invalid_value", `The file cannot be written: ${message}`, { cause: error });
}
