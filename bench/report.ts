/**
 * The source report of an account from cells beside the same grouping over its raw rows, in a database with a million calls and in one with ten
 * (thirty with --full), loaded over ninety days, eight of a hundred corrected. Both answers must be the same row by row, or there is no result. The
 * cells are made by the chore that makes them in the service. Runs in turn, medians.
 */
import { refreshReportCells } from "../src/attribution/reports/report-cells.store.js";
import { callReport } from "../src/attribution/reports/call-report.js";
import type { ReportTable } from "../src/attribution/reports/report-rows.js";
import type { Database } from "../src/db/database.js";
import { ACCOUNT, loadCalls, RANGE } from "./report/load-calls.js";
import { rawReport } from "./report/raw-report.js";
import { type BenchResult, median } from "./result.js";
import { type BenchServer, startBenchServer } from "./server.js";

const FEW = 1_000_000;
const MANY = 10_000_000;
const MANY_FULL = 30_000_000;
/** To try it. */
const FEW_QUICK = 50_000;
const MANY_QUICK = 200_000;
const CONNECTIONS = 4;
const ROUNDS = 15;
/** A raw query of the larger database takes seconds: enough of them for a median. */
const RAW_ROUNDS = 3;
/** A connection keeps a statement's plan from its sixth run on: each has had so many. */
const PLANNED_AFTER = 10 * CONNECTIONS;
const TIMES_FASTER = 50;
const TIMES_SLOWER = 1.3;
/** An answer that a person waits for. */
const GOAL_MS = 100;

interface Options {
  readonly isQuick: boolean;
  readonly isFull: boolean;
}

export async function benchReport(
  report: (progress: string) => void,
  { isQuick, isFull }: Options,
): Promise<BenchResult> {
  const server = await startBenchServer();
  try {
    const few = await loaded(server, "few", isQuick ? FEW_QUICK : FEW, report);
    const many = await loaded(server, "many", isQuick ? MANY_QUICK : isFull ? MANY_FULL : MANY, report);
    for (const db of [few, many]) for (let i = 0; i < PLANNED_AFTER; i++) await fromCells(db);
    const times = { few: [] as number[], many: [] as number[], rawFew: [] as number[], rawMany: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.few.push(await timed(() => fromCells(few)));
      times.many.push(await timed(() => fromCells(many)));
      if (round >= RAW_ROUNDS) continue;
      times.rawFew.push(await timed(() => rawReport(few)));
      times.rawMany.push(await timed(() => rawReport(many)));
      report(
        `round ${round + 1}: raw ${times.rawFew.at(-1)?.toFixed(0)} ms and ${times.rawMany.at(-1)?.toFixed(0)} ms`,
      );
    }
    for (const db of [few, many]) await expectSame(db);
    return resultOf(times);
  } finally {
    await server.stop();
  }
}

async function loaded(
  server: BenchServer,
  name: string,
  calls: number,
  report: (progress: string) => void,
): Promise<Database> {
  const db = await server.database(name, CONNECTIONS);
  const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(0);
  const began = performance.now();
  await loadCalls(db, calls);
  report(`loaded ${calls} calls in ${seconds(began)} s`);
  const loadedAt = performance.now();
  let quarters = 0;
  for (let some = -1; some !== 0; quarters += some) some = await refreshReportCells(db);
  const client = await db.connect();
  try {
    await client.query("vacuum (analyze) report_day, report_quarter, report_mark");
    const { rows } = await client.query(
      "select (select count(*) from report_day) as days, (select count(*) from report_quarter) as quarters",
    );
    report(
      `counted ${quarters} quarters in ${seconds(loadedAt)} s: ${rows[0].days} cells a day, ${rows[0].quarters} a quarter`,
    );
    await client.query("checkpoint");
  } finally {
    await client.end();
  }
  return db;
}

async function fromCells(db: Database): Promise<ReportTable> {
  const table = await db.transaction((tx) =>
    callReport(tx, {
      accountId: ACCOUNT,
      currency: null,
      ...RANGE,
      timeZone: "UTC",
      interval: null,
      by: [],
      groupBy: ["source", "medium", "campaign"],
      where: {},
      cube: "source",
      always: [],
      order: { by: "calls", descending: true },
      rowsMax: 50_000,
    }),
  );
  if (table === null || table.rows.length === 0) throw new Error("The report is empty.");
  return table;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** @throws when any row differs in any figure */
async function expectSame(db: Database): Promise<void> {
  const table = await fromCells(db);
  const raw = await rawReport(db);
  const counted = new Map<string, Readonly<Record<string, unknown>>>(
    table.rows.map(({ dimensions, figures }) => {
      const { source, medium, campaign } = dimensions;
      const { unattributedShare: _share, estimatedMisattribution: _wrong, currency: _currency, ...sums } = figures;
      return [JSON.stringify([source, medium, campaign]), sums];
    }),
  );
  if (counted.size !== raw.length) throw new Error(`${counted.size} rows from cells, ${raw.length} from calls.`);
  for (const { source, medium, campaign, ...sums } of raw) {
    const row = counted.get(JSON.stringify([source, medium, campaign]));
    for (const [name, value] of Object.entries(sums)) {
      if (row?.[name] !== value)
        throw new Error(`${source} ${name}: ${String(row?.[name])} from cells, ${value} from calls.`);
    }
  }
}

function resultOf(times: Readonly<Record<"few" | "many" | "rawFew" | "rawMany", readonly number[]>>): BenchResult {
  const ms = {
    few: median(times.few),
    many: median(times.many),
    rawFew: median(times.rawFew),
    rawMany: median(times.rawMany),
  };
  return {
    bench: "report",
    figures: { cells_few_ms: ms.few, cells_many_ms: ms.many, raw_few_ms: ms.rawFew, raw_many_ms: ms.rawMany },
    ratios: {
      faster_than_raw_few: ms.rawFew / ms.few,
      faster_than_raw_many: ms.rawMany / ms.many,
      many_to_few: ms.many / ms.few,
    },
    targets: {
      faster_than_raw_few: { atLeast: TIMES_FASTER },
      faster_than_raw_many: { atLeast: TIMES_FASTER },
      many_to_few: { atMost: TIMES_SLOWER },
    },
    goals: { cells_many_ms: { below: GOAL_MS, measured: ms.many } },
  };
}
