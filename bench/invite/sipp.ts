/** sipp as the callers and as the business of `bench -- invite`. Every run is bounded in time and ended by force when it does not end by itself. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freeUdpPort, untilListening } from "../../test/support/udp-port.js";
import { type CallerCounts, countCalls, readPostDialDelays, readStatistics } from "./sipp-report.js";

/** Linked beside the compiled bench by scripts/bench.mjs. */
const SCENARIOS = join(import.meta.dirname, "..", "..", "sipp-scenarios");
/** A caller waits so long for each answer; after that the call has failed. A carrier tries its next route about then; longer would let a backlog pass. */
const ANSWER_MS_MAX = 2_000;
/** After the last call was placed: two answers, and sipp's own clean-up. */
const FINISH_MS_MAX = 3 * ANSWER_MS_MAX;
/** sipp cannot keep the rate: it may place what is left, at half of it, before it is told to end. */
const SLOWNESS_MAX = 2;
/** sipp's own limit is in whole seconds, and it writes its files at the end. */
const KILL_AFTER_MS = 5_000;
/** A burst of either side must not be lost in sipp's sockets. */
const SOCKET_BYTES = "4000000";
/** sipp's own limit of calls at once would lower the rate quietly. */
const OPEN_CALLS_MAX = "100000";
/** Many people call, each a few times; one who called 200,000 times would have each call weighed against a thousand of their own before it. */
const FIRST_CALLER = 12_015_550_000;
/** Prime, so that each calls another number every time. */
const CALLERS = 9_973;
/** The business forgets a call that never went on, after RFC 3261's 32 s. */
const BUSINESS_GIVES_UP_MS = "33000";

/** @throws Error with one sentence that says what to do */
export function requireSipp(): void {
  if (spawnSync("sipp", ["-v"], { stdio: "ignore" }).error === undefined) return;
  throw new Error("sipp is missing: `bash scripts/bootstrap.sh test` installs it, then run the same command again.");
}

export interface Business {
  /** sip:… */
  readonly uri: string;
  isRunning(): boolean;
  stop(): void;
}

/** Rings and answers at once; waits for the caller to hang up. */
export async function startBusiness(dir: string): Promise<Business> {
  const port = await freeUdpPort();
  const place = makePlace(dir, `business-${port}`, "uas-bench.xml");
  const child = run(place, ["-p", String(port), "-recv_timeout", BUSINESS_GIVES_UP_MS]);
  await untilListening(port);
  return {
    uri: `sip:business@127.0.0.1:${port}`,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: () => void child.kill("SIGKILL"),
  };
}

export interface CallPlan {
  /** host:port of the side that is called. */
  readonly to: string;
  /** Called one after another, again and again. */
  readonly numbers: readonly string[];
  readonly rate: number;
  readonly calls: number;
  /** With delays, at the price of more of the machine's time for sipp. */
  readonly isTimed: boolean;
}

export interface CallerReport extends CallerCounts {
  /** Post-dial delays: INVITE sent → 180 received, of each call; empty unless timed. */
  readonly delaysMs: readonly number[];
}

let runs = 0;

/** Resolves when the last call has ended one way or the other. @throws when aborted */
export async function placeCalls(dir: string, plan: CallPlan, signal: AbortSignal): Promise<CallerReport> {
  const place = makePlace(dir, `callers-${runs++}`, "uac-bench.xml");
  writeList(join(place, "numbers.csv"), plan.numbers);
  writeList(
    join(place, "callers.csv"),
    Array.from({ length: CALLERS }, (_, n) => `+${FIRST_CALLER + n}`),
  );
  const stepMs = (plan.calls / plan.rate) * 1_000;
  const limitMs = stepMs * SLOWNESS_MAX + FINISH_MS_MAX;
  const child = run(place, [
    plan.to,
    ...["-inf", "numbers.csv", "-inf", "callers.csv"],
    ...["-m", String(plan.calls), "-r", String(plan.rate), "-l", OPEN_CALLS_MAX],
    ...["-recv_timeout", String(ANSWER_MS_MAX), "-timeout", `${Math.ceil(limitMs / 1_000)}s`],
    ...["-trace_stat", "-stf", "statistics.csv", "-fd", "250ms"],
    ...(plan.isTimed ? ["-timer_resol", "1", "-trace_shortmsg"] : []),
  ]);
  await ended(child, limitMs + KILL_AFTER_MS, signal);
  const read = (suffix: string): string => {
    const file = readdirSync(place).find((name) => name.endsWith(suffix));
    return file === undefined ? "" : readFileSync(join(place, file), "utf8");
  };
  const statistics = read("statistics.csv");
  if (statistics === "") throw new Error("sipp ended without having placed a call.");
  const delaysMs = readPostDialDelays(read("_shortmessages.log"));
  // A call that never rang is not left out: it waited as long as a caller waits.
  if (plan.isTimed) while (delaysMs.length < plan.calls) delaysMs.push(ANSWER_MS_MAX);
  return { ...countCalls(readStatistics(statistics), stepMs), delaysMs };
}

/** Taken from one after another, again and again. */
function writeList(file: string, lines: readonly string[]): void {
  writeFileSync(file, ["SEQUENTIAL", ...lines.map((line) => `${line};`), ""].join("\n"));
}

/** sipp writes some of its files beside the scenario: each run has a copy. */
function makePlace(dir: string, name: string, scenario: string): string {
  const place = join(dir, name);
  mkdirSync(place);
  copyFileSync(join(SCENARIOS, scenario), join(place, "scenario.xml"));
  return place;
}

function run(place: string, words: readonly string[]): ChildProcess {
  const common = ["-sf", "scenario.xml", "-i", "127.0.0.1", "-nostdin", "-buff_size", SOCKET_BYTES];
  const child = spawn("sipp", [...words, ...common], { cwd: place, stdio: "ignore" });
  child.on("error", (error) => console.error(`sipp: ${error.message}`));
  return child;
}

async function ended(child: ChildProcess, withinMs: number, signal: AbortSignal): Promise<void> {
  const kill = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(kill, withinMs);
  signal.addEventListener("abort", kill, { once: true });
  await new Promise<void>((done) => {
    child.once("exit", () => done());
    child.once("error", () => done());
    if (signal.aborted) kill();
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", kill);
  signal.throwIfAborted();
}
