/** Runs every file in a process of its own, some at a time, and makes one row of all assertions of one name. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SCENARIO_TESTS } from "./more-scenarios.mjs";
import { SUITE } from "./places.mjs";

/** The longest first: uas.js waits 32 s for an ACK that never comes. */
export const FILES = [
  ...["uas.js", "subscribe.js", "b2b.js", "uac.js", "reinvite-tests.js", "proxy.js", "refer.js", "utils.js"],
  ...Object.keys(SCENARIO_TESTS),
];
/** They mostly wait; more at once, and two cores are late for sipp's timers. */
const FILES_AT_ONCE = 4;
/** The longest that one of them allows itself, b2b.js. */
const FILE_MS_MAX = 180_000;

/** @returns rows `{ file, what, ok }` in the order of FILES */
export async function runAll(files, dist) {
  const waiting = [...files.entries()];
  const rows = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [at, file] = next;
      rows[at] = await runOne(file, dist);
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, work));
  return rows.flat();
}

async function runOne(file, dist) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "run-file.mjs"), file, dist], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  const timer = setTimeout(() => child.kill("SIGKILL"), FILE_MS_MAX);
  const code = await new Promise((exited) => child.on("close", exited));
  clearTimeout(timer);
  const said = output.split("\n").flatMap((line) => (line.startsWith("@") ? [JSON.parse(line.slice(1))] : []));
  if (code !== 0) said.push({ ok: false, what: `the file did not come to its end (${code ?? "killed"})` });
  return rowsOf(file, said);
}

function rowsOf(file, said) {
  const expected = promised(file);
  const names = new Set([...expected.keys(), ...said.filter(({ ok }) => ok).map(({ what }) => what)]);
  const rows = [...names].map((what) => {
    const all = said.filter((one) => one.what === what);
    return { file, what, ok: all.length >= (expected.get(what) ?? 1) && all.every(({ ok }) => ok) };
  });
  const failure = said.find(({ ok, what }) => !ok && !names.has(what))?.what;
  // The error that ended the file belongs to the first row that was not reached.
  const first = rows.find(({ ok }) => !ok);
  if (failure !== undefined && first !== undefined) first.error = failure;
  else if (failure !== undefined) rows.push({ file, what: failure, ok: false });
  return rows;
}

/** Name → how often the file means to say it. Their chains of promises skip to the next `catch`, which may even say "pass": skipped is not passed. */
function promised(file) {
  const counts = new Map();
  const more = SCENARIO_TESTS[file];
  if (more !== undefined) return counts.set(more.what, 1);
  const text = readFileSync(join(SUITE, file), "utf8");
  for (const [, what] of text.matchAll(/t\.(?:pass|ok|throws|doesNotThrow)\((?:[^;]*?,\s+)?'([^']+)'\)/g))
    counts.set(what, (counts.get(what) ?? 0) + 1);
  return counts;
}
