import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Carrier, CARRIERS } from "../account/carrier-credentials.store.js";
import type { Database } from "../db/database.js";
import { systemClock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { readRoutedNumbers } from "../routing/routed-numbers.store.js";
import type { E164 } from "../telephony/e164.js";
import { CARRIER_ADAPTERS } from "../webhooks/inbound/carrier-adapters.js";
import {
  carrierOf,
  DEFAULT_CARRIER,
  documentAdapter,
  fallbackDocument,
  fallbackPlan,
} from "../webhooks/inbound/fallback-document.js";
import type { Command } from "./command.js";
import { FallbackFolder, type FileTally } from "./fallback-files.js";
import { withDatabase } from "./with-database.js";

export const fallbackCommand: Command = {
  help: `Usage: ringmatch fallback export --dir DIR [--carrier NAME]

Writes what each routed number answers while the service does not, DIR/<carrier>/<digits>.xml (or .json), for any web server or CDN: it rings the
number's business. Serve DIR, set FALLBACK_BASE_URL to its address, and run this after changes of destinations, e.g. every five minutes.
Each number's file is in its own carrier's language, in ${DEFAULT_CARRIER}'s where that is not known; with --carrier, only that carrier's numbers are written, and
those whose carrier is not known. Files of numbers that are routed no more are removed from the carriers' folders, other files never.`,
  run: async (words) => {
    const { values } = parseArgs({
      args: [...words],
      options: { dir: { type: "string" }, carrier: { type: "string" } },
    });
    const { dir } = values;
    if (dir === undefined || dir === "") throw new AppError("invalid_value", "Say with --dir where the files go.");
    const carrier = values.carrier === undefined ? null : namedCarrier(values.carrier);
    const tally = await withDatabase((db) => exportFallbacks(db, { dir, carrier })).catch(asSentence);
    const { written, unchanged, removed, withoutDocument } = tally;
    console.log(`${written} written, ${unchanged} unchanged, ${removed} removed.`);
    if (withoutDocument > 0) console.log(`${withoutDocument} numbers are of carriers that take no documents.`);
  },
};

/** @throws AppError("invalid_value") */
function namedCarrier(name: string): Carrier {
  const carrier = CARRIERS.find((one) => one === name);
  const able = CARRIERS.filter((one) => documentAdapter(CARRIER_ADAPTERS, one) !== null);
  if (carrier !== undefined && able.includes(carrier)) return carrier;
  throw new AppError("invalid_value", `--carrier takes ${able.join(", ")}: carriers that take documents.`);
}

interface Exported extends FileTally {
  readonly withoutDocument: number;
}

/** @param input `carrier` null: every carrier's. @throws AppError("invalid_value") when no number is routed: more likely the wrong database than the truth */
async function exportFallbacks(db: Database, input: { dir: string; carrier: Carrier | null }): Promise<Exported> {
  const folders = new Map<Carrier, FallbackFolder>();
  for (const carrier of input.carrier === null ? CARRIERS : [input.carrier]) {
    folders.set(carrier, new FallbackFolder(join(input.dir, carrier)));
  }
  let routed = 0;
  let withoutDocument = 0;
  for await (const page of readRoutedNumbers(db)) {
    for (const { e164, routed: number } of page) {
      if (fallbackPlan(number) === null) continue;
      routed++;
      const carrier = carrierOf(number) ?? input.carrier ?? DEFAULT_CARRIER;
      const adapter = documentAdapter(CARRIER_ADAPTERS, carrier);
      if (adapter === null) withoutDocument++;
      else folders.get(carrier)?.put(e164 as E164, fallbackDocument(adapter, number));
    }
  }
  if (routed === 0) throw new AppError("invalid_value", "No number is routed; the files are left as they are.");
  const tallies = [...folders.values()].map((folder) => folder.finish(systemClock.now()));
  const sum = (of: keyof FileTally): number => tallies.reduce((all, tally) => all + tally[of], 0);
  return { written: sum("written"), unchanged: sum("unchanged"), removed: sum("removed"), withoutDocument };
}

/** What the file system refuses is for the operator to put right. */
function asSentence(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof AppError || code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
  throw new AppError("invalid_value", `The files cannot be written: ${message}`, { cause: error });
}
