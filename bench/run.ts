/** `npm run bench [-- NAME…] [--json] [--quick] [--full]`: runs the named benchmarks, or all. Exit code 1 when a ratio misses its target. */
import { messageOf } from "../src/kernel/errors.js";
import { benchAllocate } from "./allocate.js";
import { benchExport } from "./export.js";
import { benchInvite } from "./invite.js";
import { benchMatch } from "./match.js";
import { benchPresent } from "./present.js";
import { benchReport } from "./report.js";
import { benchTag } from "./tag.js";
import { benchWebhook } from "./webhook.js";
import { type BenchResult, isMet, jsonLine, table } from "./result.js";

interface Options {
  readonly isQuick: boolean;
  readonly isFull: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
type Bench = (report: (progress: string) => void, options: Options) => Promise<BenchResult>;

const BENCHES: Readonly<Record<string, Bench>> = {
  allocate: benchAllocate,
  match: benchMatch,
  present: benchPresent,
  webhook: benchWebhook,
  export: benchExport,
  invite: benchInvite,
  report: benchReport,
  tag: benchTag,
};

const USAGE = `npm run bench [-- NAME…] [--json] [--quick] [--full]
  NAME     one of ${Object.keys(BENCHES).join(", ")}; without one, all
  --json   one line of JSON a benchmark instead of a table
  --quick  invite: fewer and shorter steps, to try it in about five minutes instead of 25; report: 50 and 200 thousand calls. Their figures say little
  --full   present: a log of 50 million presentations instead of 10; report: 30 million calls instead of 10`;

const INTERRUPTED = 130;

const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith("--"));
const asJson = words.includes("--json");
if (words.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const unknown = names.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}; there are: ${Object.keys(BENCHES).join(", ")}.`);
  process.exit(2);
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());

let allMet = true;
for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  try {
    const options = { isQuick: words.includes("--quick"), isFull: words.includes("--full"), signal: interrupt.signal };
    const result = await bench((progress) => {
      console.error(`  ${name}: ${progress}`);
      interrupt.signal.throwIfAborted();
    }, options);
    allMet &&= isMet(result);
    console.log(asJson ? jsonLine(result) : table(result));
  } catch (error) {
    allMet = false;
    if (!interrupt.signal.aborted) console.error(`  ${name}: ${messageOf(error)}`);
  }
  if (interrupt.signal.aborted) break;
}
process.exitCode = interrupt.signal.aborted ? INTERRUPTED : allMet ? 0 : 1;
