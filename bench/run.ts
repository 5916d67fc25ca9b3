/** `npm run bench [-- NAME…] [--json]`: runs the named benchmarks, or all. Exit code 1 when a ratio misses its target. */
import { benchAllocate } from "./allocate.js";
import { benchMatch } from "./match.js";
import { type BenchResult, isMet, jsonLine, table } from "./result.js";

type Report = (progress: string) => void;

const BENCHES: Readonly<Record<string, (report: Report) => Promise<BenchResult>>> = {
  allocate: benchAllocate,
  match: benchMatch,
};

const names = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const asJson = process.argv.includes("--json");
const unknown = names.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}; there are: ${Object.keys(BENCHES).join(", ")}.`);
  process.exit(2);
}

let allMet = true;
for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const result = await bench((progress) => console.error(`  ${name}: ${progress}`));
  allMet &&= isMet(result);
  console.log(asJson ? jsonLine(result) : table(result));
}
process.exitCode = allMet ? 0 : 1;
