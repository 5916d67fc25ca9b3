/**
 * `bench -- present`: durable presentations over HTTP by one process beside a route that does nothing, each at its maximum; then whether the size of the pool,
 * the number of accounts, the length of the log and further processes change the rate. wrk asks for pages; rounds in turn, medians; a round counts only when
 * what was answered is in the log.
 */
import { CleanUp } from "./clean-up.js";
import { startIdle, startService } from "./present/sides.js";
import { databaseNow, makeWorld, storedSince, type World } from "./present/worlds.js";
import { type Answers, type PageViews, requireWrk, viewPages } from "./present/wrk.js";
import { type BenchResult, median } from "./result.js";
import { startBenchServer } from "./server.js";
import { makeTempDir } from "./temp-dir.js";

const ROUNDS = 5;
const ROUND_S = 3;
/** A process that starts asks the database once for each account, and is compiled while it serves: each by itself, or they would take a minute together. */
const WARM_UP_S = 6;
/**
 * The service's own maximum: a presentation waits for its batch, so it needs several hundred (medians on one machine: 256 4,500 a second, 512 5,400, 768 5,900,
 * 1,000 6,000). The idle route, asked by as many, is there with 64 already.
 */
const CONNECTIONS_AT_MOST = 768;
/** More than these would ask for one pool's hundred numbers several times in the same moment. */
const CONNECTIONS_A_PROCESS = 256;
const LOG_SHORT = 100_000;
const LOG_LONG = 10_000_000;
const LOG_LONGER = 50_000_000;
/** Answers that gave a number are rows of the log; a shared overflow number or the original would not be. */
const STORED_SHARE_MIN = 0.98;
const CALM_WARM_UP_S = 2;
const CALM_S = 8;
const TARGETS = {
  present_to_idle: { atLeast: 0.25 },
  pool_100_to_10000: { atLeast: 0.65 },
  accounts_1_to_1000: { atLeast: 0.65 },
  log_long_to_short: { atLeast: 0.75 },
  processes_2_to_1: { atLeast: 0.9 },
  processes_4_to_1: { atLeast: 0.9 },
} as const;
const GOAL_P99_MS = 25;

interface Side {
  readonly to: readonly string[];
  readonly world: World | null;
  /** In all, over its processes. */
  readonly connections: number;
}

export async function benchPresent(
  report: (progress: string) => void,
  { isFull }: { readonly isFull: boolean },
): Promise<BenchResult> {
  requireWrk();
  const cleanUp = new CleanUp();
  const dir = makeTempDir("present", cleanUp);
  try {
    const server = await startBenchServer();
    cleanUp.push(() => server.stop());
    const input = { dir, cleanUp };
    const began = performance.now();
    const small = await makeWorld(server, { name: "small", tenants: 1, numbersATenant: 100, presentations: LOG_SHORT });
    const wide = await makeWorld(server, {
      name: "wide",
      tenants: 1,
      numbersATenant: 10_000,
      presentations: LOG_SHORT,
    });
    const many = await makeWorld(server, {
      name: "many",
      tenants: 1_000,
      numbersATenant: 100,
      presentations: LOG_SHORT,
    });
    const logged = isFull ? LOG_LONGER : LOG_LONG;
    const long = await makeWorld(server, { name: "long", tenants: 1_000, numbersATenant: 100, presentations: logged });
    report(
      `loaded ${logged} presentations and three short logs in ${((performance.now() - began) / 1_000).toFixed(0)} s`,
    );

    const sideOf = (to: readonly string[], world: World): Side => ({
      to,
      world,
      connections: CONNECTIONS_A_PROCESS * to.length,
    });
    const of = async (world: World): Promise<Side> => sideOf([await startService(input, world.url)], world);
    const sides = { small: await of(small), wide: await of(wide), many: await of(many), long: await of(long) };
    const idle: Side = { to: [await startIdle(input)], world: null, connections: CONNECTIONS_AT_MOST };
    const present: Side = { ...sides.many, connections: CONNECTIONS_AT_MOST };
    const most = await inTurn({ idle, present }, dir, report);
    const rates = await inTurn(sides, dir, report);

    const further = await Promise.all(Array.from({ length: 3 }, () => startService(input, many.url)));
    for (const url of further) await warmUp(sideOf([url], many), dir, report);
    const all = [...sides.many.to, ...further];
    const processes = await inTurn(
      { one: sides.many, two: sideOf(all.slice(0, 2), many), four: sideOf(all, many) },
      dir,
      report,
    );
    const calmPace = Math.round(median(most.present) / 2);
    const calm = (seconds: number): Promise<Answers> =>
      viewPages(dir, { ...pagesOf(present, seconds), paceASecond: calmPace });
    await calm(CALM_WARM_UP_S);
    const { latencyMs, perSecond } = await calm(CALM_S);
    report(`at half load: ${perSecond.toFixed(0)} of ${calmPace}/s`);
    return resultOf({ most, rates, processes, calmMs: latencyMs });
  } finally {
    await cleanUp.run();
  }
}

/** All sides, one after another, round by round, each round begun by another one. @returns requests a second of each round */
async function inTurn<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  dir: string,
  report: (progress: string) => void,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const rates = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (const name of names) await warmUp(sides[name], dir, report);
  for (let n = 0; n < ROUNDS; n++) {
    for (const at of names.keys()) {
      const name = names[(at + n) % names.length] as Name;
      rates[name].push(await round(sides[name], dir, report));
    }
    report(`round ${n + 1}: ${names.map((name) => `${name} ${rates[name].at(-1)?.toFixed(0)}/s`).join(", ")}`);
  }
  return rates;
}

/** Answers without a number count as well: a process that has not read the account yet gives them. */
function views(side: Side, dir: string, seconds: number): Promise<Answers> {
  return viewPages(dir, pagesOf(side, seconds));
}

function pagesOf({ to, world, connections }: Side, seconds: number): PageViews {
  return {
    to,
    tenants: world?.tenants ?? 1,
    visitorsATenant: world?.visitorsATenant ?? 1_000,
    connections,
    seconds,
  };
}

/** URLs of processes. */
const warm = new Set<string>();

/** Once for each process. Nothing is measured yet, and a late answer of a process that is being compiled on a busy machine ends no bench; but it is told. */
async function warmUp(side: Side, dir: string, report: (progress: string) => void): Promise<void> {
  if (side.to.every((url) => warm.has(url))) return;
  for (const url of side.to) warm.add(url);
  const { late } = await views(side, dir, WARM_UP_S);
  if (late > 0) report(`${late} answers of a warm-up came after more than 2 s`);
}

async function round(side: Side, dir: string, report: (progress: string) => void): Promise<number> {
  const { world } = side;
  const since = world === null ? "" : await databaseNow(world.db);
  const { requests, perSecond, late } = await views(side, dir, ROUND_S);
  if (world === null) {
    // Its last connections wait to be accepted: that ends no bench, but it is told, for it lowers what the others are compared with.
    if (late > 0) report(`${late} answers of the idle route came after more than 2 s`);
    return perSecond;
  }
  if (late > 0) throw new Error(`${late} of ${requests} answers came after more than 2 s.`);
  const stored = await storedSince(world.db, since);
  if (stored < requests * STORED_SHARE_MIN) {
    throw new Error(`Of ${requests} answers of ${world.name} only ${stored} are in the presentation log.`);
  }
  return perSecond;
}

function resultOf(measured: {
  most: Record<"idle" | "present", number[]>;
  rates: Record<"small" | "wide" | "many" | "long", number[]>;
  processes: Record<"one" | "two" | "four", number[]>;
  calmMs: Answers["latencyMs"];
}): BenchResult {
  const { most, rates, processes, calmMs } = measured;
  /** Of the medians of two sides, the lower to the higher: neither may be much slower than the other. */
  const evenness = (a: readonly number[], b: readonly number[]): number =>
    Math.min(median(a), median(b)) / Math.max(median(a), median(b));
  return {
    bench: "present",
    figures: {
      idle_per_s: median(most.idle),
      present_per_s: median(most.present),
      pool_of_100_per_s: median(rates.small),
      pool_of_10000_per_s: median(rates.wide),
      accounts_1000_per_s: median(rates.many),
      long_log_per_s: median(rates.long),
      processes_1_per_s: median(processes.one),
      processes_2_per_s: median(processes.two),
      processes_4_per_s: median(processes.four),
      half_load_p50_ms: calmMs.p50,
      half_load_p99_ms: calmMs.p99,
    },
    ratios: {
      present_to_idle: median(most.present) / median(most.idle),
      pool_100_to_10000: evenness(rates.small, rates.wide),
      accounts_1_to_1000: evenness(rates.small, rates.many),
      log_long_to_short: median(rates.long) / median(rates.many),
      processes_2_to_1: median(processes.two) / median(processes.one),
      processes_4_to_1: median(processes.four) / median(processes.one),
    },
    targets: TARGETS,
    goals: { p99_ms_at_half_load: { below: GOAL_P99_MS, measured: calmMs.p99 } },
  };
}
