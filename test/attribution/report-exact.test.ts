/** Reports beside what the raw rows say, whatever was written, corrected, erased and refreshed before, and while. */
import fc from "fast-check";
import type pg from "pg";
import { beforeEach, describe, expect, it } from "vitest";
import { refreshReportCells, thinReportMarks } from "../../src/attribution/reports/report-cells.store.js";
import { INTERVALS } from "../../src/attribution/reports/report-calendar.js";
import { CUBES, type Dimension } from "../../src/attribution/reports/report.store.js";
import type { Queryable } from "../../src/db/database.js";
import { seededRandom } from "../../src/kernel/seeded-random.js";
import { freshDatabase, rows } from "../support/database.js";
import { makeAccount } from "../support/world.js";
import {
  addCalls,
  correctCall,
  endCall,
  eraseCorrections,
  pickOne,
  type Random,
  removeCall,
} from "./support/report-calls.js";
import { answerOf, oracle, type Question, rawRows } from "./support/report-oracle.js";

const { db } = await freshDatabase();
const first = (await makeAccount(db, "first")).id;
const second = (await makeAccount(db, "second")).id;
const ACCOUNTS = [first, second, null];
await rows(db, "update account set currency = 'EUR' where id = $1", [second]);

/** Each with a clock change in the days around its date. */
const ZONES = [
  { timeZone: "UTC", around: Date.parse("2026-03-08T00:00:00Z") },
  { timeZone: "America/New_York", around: Date.parse("2026-03-08T06:00:00Z") },
  { timeZone: "America/New_York", around: Date.parse("2026-11-01T06:00:00Z") },
  { timeZone: "Australia/Lord_Howe", around: Date.parse("2026-04-04T15:00:00Z") },
  { timeZone: "Australia/Lord_Howe", around: Date.parse("2026-10-03T15:00:00Z") },
  { timeZone: "Asia/Kathmandu", around: Date.parse("2026-05-31T18:15:00Z") },
] as const;
const HOUR_MS = 3_600_000;
const QUARTER_MS = 900_000;

/** Whole quarters, and all that timesAround gives there. */
const WHOLE = { from: ZONES[0].around - 40 * HOUR_MS - QUARTER_MS, to: ZONES[0].around + 40 * HOUR_MS + QUARTER_MS };

/** Bunched at the borders of quarters and days, to the millisecond. */
function timesAround(random: Random, around: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const at = around + Math.floor((random() - 0.5) * 72 * HOUR_MS);
    return random() < 0.3 ? Math.round(at / QUARTER_MS) * QUARTER_MS + pickOne(random, [-1, 0, 1]) : at;
  });
}

const CUBE_DIMENSIONS = Object.values(CUBES) as readonly (readonly Dimension[])[];

function questionOf(random: Random, { timeZone, around }: (typeof ZONES)[number]): Question {
  const dimensions = pickOne(random, CUBE_DIMENSIONS);
  const [from, to] = timesAround(random, around, 2).sort((a, b) => a - b) as [number, number];
  const filtered = pickOne(
    random,
    dimensions.filter((one) => one !== "account_id"),
  );
  return {
    accountId: pickOne(random, [first, second, null]),
    from,
    to: to + 1,
    timeZone,
    interval: pickOne(random, [null, ...INTERVALS]),
    by: (["hour_of_day", "day_of_week"] as const).filter(() => random() < 0.2),
    groupBy: dimensions.filter(() => random() < 0.5),
    where:
      random() < 0.3 ? { [filtered]: pickOne(random, [null, "google", "pool_a", "https://a.example/", "sip"]) } : {},
  };
}

type Change = (tx: Queryable, random: Random, around: number) => Promise<void>;

const CHANGES: readonly Change[] = [
  (tx, random, around) =>
    addCalls(tx, random, { accounts: ACCOUNTS, times: timesAround(random, around, 1 + Math.floor(random() * 40)) }),
  (tx, random) => endCall(tx, random),
  (tx, random) => correctCall(tx, random),
  (tx, random) => correctCall(tx, random),
  (tx) => eraseCorrections(tx),
  (tx, random) => removeCall(tx, random),
];

const refresh = (random: Random): Promise<number> =>
  refreshReportCells(db, { countedAfterS: 0, quartersAtOnce: 1 + Math.floor(random() * 40) });

/** Much faster than truncating every partition; no trigger fires. */
async function clear(): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query({ name: "", text: "set local session_replication_role = replica" });
    for (const table of ["call", "call_correction", "report_quarter", "report_day", "report_mark"])
      await tx.query({ name: "", text: `delete from ${table}` });
  });
}

beforeEach(clear);

describe("a report", () => {
  it("equals the raw rows after any changes and refreshes, in any zone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom(...ZONES), async (seed, zone) => {
        const random = seededRandom(seed);
        await clear();
        await addCalls(db, random, { accounts: ACCOUNTS, times: timesAround(random, zone.around, 60) });
        for (let step = 0; step < 6; step++) {
          if (random() < 0.5) await refresh(random);
          else await db.transaction((tx) => pickOne(random, CHANGES)(tx, random, zone.around));
          if (random() < 0.2) await thinReportMarks(db);
          const question = questionOf(random, zone);
          expect(await answerOf(db, question)).toEqual(oracle(await rawRows(db), question));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("equals them in every snapshot while others write and refresh", async () => {
    const seed = seededRandom(20_261_128);
    const zone = ZONES[1];
    await addCalls(db, seed, { accounts: ACCOUNTS, times: timesAround(seed, zone.around, 200) });
    let isOver = false;
    const loop = async (work: () => Promise<unknown>): Promise<void> => {
      while (!isOver) await work();
    };
    const changes = (random: Random): Promise<void> =>
      db.transaction(async (tx) => {
        // Several in one transaction, so that marks and calls are long written and not yet seen.
        for (let i = 0; i < 3; i++) await pickOne(random, CHANGES.slice(0, 4))(tx, random, zone.around);
      });
    const writers = [1, 2].map((n) => loop(() => changes(seededRandom(Math.floor(seed() * 1e9) + n))));
    const refreshers = [1, 2].map(() => loop(() => refresh(seed)));
    const reader = await db.connect();
    try {
      for (let compared = 0; compared < 15; compared++) {
        await reader.query("begin isolation level repeatable read");
        const snapshot = queryableOf(reader);
        const raw = await rawRows(snapshot);
        const question = questionOf(seed, zone);
        expect(await answerOf(snapshot, question)).toEqual(oracle(raw, question));
        await reader.query("commit");
      }
    } finally {
      isOver = true;
      await Promise.all([...writers, ...refreshers]);
      await reader.end();
    }
    const [cells] = await rows(db, "select count(*) as cells from report_day");
    expect(cells?.["cells"]).toBeGreaterThan(0);
  });

  it("reads cells alone once everything is counted", async () => {
    const random = seededRandom(5);
    await addCalls(db, random, { accounts: ACCOUNTS, times: timesAround(random, ZONES[0].around, 100) });
    while ((await refresh(random)) > 0);
    const question: Question = {
      ...questionOf(random, ZONES[0]),
      accountId: null,
      from: WHOLE.from,
      to: WHOLE.to,
      where: {},
    };
    const before = oracle(await rawRows(db), question);
    // As when a month's partition is dropped: nothing fires.
    await rows(db, "set session_replication_role = replica; delete from call; reset session_replication_role");
    expect(await answerOf(db, question)).toEqual(before);
    expect(Object.keys(before).length).toBeGreaterThan(0);
  });
});

function queryableOf(client: pg.Client): Queryable {
  return {
    query: async <R>(query: { text: string }, values: readonly unknown[] = []) =>
      (await client.query(query.text, values as unknown[])).rows as R[],
  };
}
