/**
 * wrk as the pages of `bench -- present`: random visitors of random tenants, each asking for the number of its business, as fast as they are answered or at a
 * rate of their own.
 */
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** One thread: the machine's cores are shared with what is measured. */
const THREADS = 1;
const KILL_AFTER_MS = 10_000;
/**
 * Between opening its connections and their first requests. wrk opens all at once, and node accepts one in a turn of its event loop (libuv 1.45 and later):
 * beside requests that takes so many turns that the last ones would wait for seconds, and count as late.
 */
const OPENING_S = 1;

/**
 * Ids and numbers as bench/tenants.ts makes them. At a rate of their own, requests are due one after another whether the last was answered or not: the
 * connection that is free next takes the next one, at once if it is due already.
 */
const SCRIPT = `
local ffi = require("ffi")
ffi.cdef("struct timeval { long seconds, microseconds; }; int gettimeofday(struct timeval *time, void *zone);")
local time = ffi.new("struct timeval")
local function now_ms()
  ffi.C.gettimeofday(time, nil)
  return tonumber(time.seconds) * 1000 + tonumber(time.microseconds) / 1000
end
local tenants, visitors, opening, opening_ms, every_ms, due
local headers = { ["Content-Type"] = "text/plain", ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36" }
function init(args)
  tenants, visitors = tonumber(args[1]), tonumber(args[2])
  math.randomseed(tonumber(args[3]))
  opening, opening_ms = tonumber(args[4]), tonumber(args[5])
  if tonumber(args[6]) > 0 then every_ms = 1000 / tonumber(args[6]) end
end
function delay()
  if every_ms then
    due = due and due + every_ms or now_ms() + opening_ms
    return math.max(0, due - now_ms())
  end
  if opening == 0 then return 0 end
  opening = opening - 1
  return opening_ms
end
function request()
  local tenant, visitor = math.random(0, tenants - 1), math.random(0, visitors - 1)
  return wrk.format("POST", "/v1/presentations", headers, string.format(
    '{"tag_key":"tag_%d","visitor_id":"vis_bench%06dx%010d","numbers":["+1800%d"],"page":{"url":"https://www.example.com/landing?utm_source=google&utm_medium=cpc&gclid=EAIaIQobChMI0000000000","referrer":"https://www.google.com/","visible":true}}',
    tenant, tenant, visitor, 5550000 + tenant))
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"durationUs":%d,"refused":%d,"broken":%d,"late":%d,"p50Us":%d,"p99Us":%d}\\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write, errors.timeout, latency:percentile(50), latency:percentile(99)))
end
`;

/** @throws Error with one sentence that says what to do */
export function requireWrk(): void {
  if (spawnSync("wrk", ["-v"], { stdio: "ignore" }).error === undefined) return;
  throw new Error(
    "wrk is missing: `sudo apt-get install wrk` (Homebrew: `brew install wrk`, dnf: `sudo dnf install wrk`) installs it, then run the same command again.",
  );
}

export interface PageViews {
  /** http://host:port, one for each process. */
  readonly to: readonly string[];
  readonly tenants: number;
  readonly visitorsATenant: number;
  /** In all, shared by the processes; all of them open before the first request. */
  readonly connections: number;
  readonly seconds: number;
  /** Requests of each process; left out, they come as fast as they are answered. */
  readonly paceASecond?: number;
}

export interface Answers {
  readonly requests: number;
  readonly perSecond: number;
  /** Of them, those that came after more than 2 s (wrk's limit). */
  readonly late: number;
  /** Of the slowest process, in ms: from sending to the whole answer. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

let seed = 1;

/** @throws Error when a request failed, for then the figures mean nothing */
export async function viewPages(dir: string, views: PageViews): Promise<Answers> {
  const { to, tenants, visitorsATenant, connections, seconds, paceASecond = 0 } = views;
  const script = join(dir, "pages.lua");
  writeFileSync(script, SCRIPT);
  const each = Math.max(1, Math.floor(connections / to.length));
  const runs = await Promise.all(
    to.map((url) =>
      runWrk(
        [
          ...["-t", String(THREADS), "-c", String(each), "-d", `${seconds + OPENING_S}s`, "-s", script, url, "--"],
          ...[tenants, visitorsATenant, seed++, each, OPENING_S * 1_000, paceASecond].map(String),
        ],
        (seconds + OPENING_S) * 1_000 + KILL_AFTER_MS,
      ),
    ),
  );
  const sumOf = (kind: "requests" | "refused" | "broken" | "late"): number =>
    runs.reduce((sum, run) => sum + run[kind], 0);
  const [refused, broken] = [sumOf("refused"), sumOf("broken")];
  if (refused > 0 || broken > 0)
    throw new Error(`Requests were not answered with 200: ${refused} refused, ${broken} broken off.`);
  const perSecond = runs.reduce((sum, run) => sum + run.requests / (run.durationUs / 1e6 - OPENING_S), 0);
  const worst = (us: (run: Run) => number): number => Math.max(...runs.map(us)) / 1_000;
  const latencyMs = { p50: worst(({ p50Us }) => p50Us), p99: worst(({ p99Us }) => p99Us) };
  return { requests: sumOf("requests"), perSecond, late: sumOf("late"), latencyMs };
}

interface Run {
  readonly requests: number;
  readonly durationUs: number;
  readonly refused: number;
  readonly broken: number;
  readonly late: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

async function runWrk(words: readonly string[], withinMs: number): Promise<Run> {
  const child = spawn("wrk", [...words], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: withinMs,
    killSignal: "SIGKILL",
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await new Promise<void>((done, failed) => {
    child.once("error", failed);
    child.once("close", () => done());
  });
  const last = text.split("\n").findLast((line) => line.startsWith("{"));
  if (last === undefined) throw new Error("wrk ended without its figures.");
  return JSON.parse(last) as Run;
}
