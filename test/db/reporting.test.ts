/** The reporting schema as a BI tool sees it: the views answer, and nothing else does. And what the marks cost and promise. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { cubeOf, OF_ACCOUNT, reportValues } from "../../src/attribution/reports/report.store.js";
import { refreshReportCells } from "../../src/attribution/reports/report-cells.store.js";
import { migrate } from "../../src/db/migrate.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { seededRandom } from "../../src/kernel/seeded-random.js";
import { addCalls, correctCall } from "../attribution/support/report-calls.js";
import { answerOf, oracle, rawRows } from "../attribution/support/report-oracle.js";
import { freshDatabase, rows } from "../support/database.js";
import { planOf } from "../support/plans.js";
import { makeWorld } from "../support/world.js";

const MIGRATION = new URL("../../migrations/0019_reporting.sql", import.meta.url);

const { db, url } = await freshDatabase();
const { account } = await makeWorld(db, 2);
const random = seededRandom(19);
const DAY_MS = 86_400_000;
const START = Date.parse("2026-05-01T00:00:00Z");
const times = (count: number, days: number): number[] =>
  Array.from({ length: count }, () => START + Math.floor(random() * days * DAY_MS));

/** A login as docs/reporting.md makes it. */
async function reader(): Promise<pg.Client> {
  await rows(db, "create role bi_reader login password 'only for tests' in role ringmatch_reporting").catch((error) => {
    if (error.code !== "42710") throw error;
  });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("set role bi_reader");
  return client;
}
const client = await reader();
afterAll(async () => {
  await client.end();
  await rows(db, "drop role if exists bi_reader");
});

describe("the role of BI tools", () => {
  it("reads every view of the reporting schema", async () => {
    await addCalls(db, random, { accounts: [account.id, null], times: times(50, 3) });
    const { rows: views } = await client.query<{ name: string }>(
      "select table_name as name from information_schema.views where table_schema = 'reporting' order by 1",
    );
    expect(views.map(({ name }) => name)).toEqual([
      "accounts_v1",
      "calls_v1",
      "landing_page_daily_v1",
      "number_daily_v1",
      "number_days_v1",
      "pools_v1",
      "presentations_v1",
      "source_daily_v1",
    ]);
    for (const { name } of views) await client.query(`select * from reporting.${name} limit 1`);
    const { rows: sealed } = await client.query(
      "select table_name, column_name from information_schema.columns where table_schema = 'reporting' and (data_type in ('bytea', 'jsonb') or column_name ~ '(_enc|_hash|custom|referrer)')",
    );
    expect(sealed).toEqual([]);
  });

  it("reads no table, writes nothing and runs nothing that would", async () => {
    const refused = [
      "select * from public.call",
      "select * from public.call_record",
      "select * from public.account",
      "select * from public.carrier_credential",
      "select * from public.report_day",
      "insert into reporting.accounts_v1 (account_id, name) values ('x', 'x')",
      "update reporting.calls_v1 set source = 'x'",
      "delete from reporting.presentations_v1",
      "create table reporting.mine (a int)",
      "create table public.mine (a int)",
      "select public.ensure_partitions(now() + interval '900 days')",
    ];
    for (const statement of refused) {
      await expect(client.query(statement), statement).rejects.toMatchObject({
        message: expect.stringMatching(/permission denied|must be owner|cannot (insert|update|delete)/),
      });
    }
  });

  it("is there without the right to make roles: the migrations run, and say so", async () => {
    const name = `norole_${Math.floor(Math.random() * 1e9)}`;
    await rows(db, `create role ${name} login password 'only for tests'`);
    await rows(db, `create database ${name} owner ${name}`);
    const other = new URL(url);
    other.pathname = `/${name}`;
    other.username = name;
    other.password = encodeURIComponent("only for tests");
    const limited = openDatabase({ url: other.href, log: silentLog, connectionsMax: 1 });
    try {
      await migrate({ database: limited, log: silentLog });
      expect(await rows(limited, "select count(*) as calls from reporting.calls_v1")).toEqual([{ calls: 0 }]);
      // The server of the tests has the role already: the same for one that has not.
      const [, block = ""] = /\n(do \$\$[\s\S]+end \$\$;)/.exec(readFileSync(MIGRATION, "utf8")) ?? [];
      await rows(limited, block.replaceAll("ringmatch_reporting", `${name}_absent`));
      expect(block).toContain("create role");
      expect(await rows(db, "select rolname from pg_roles where rolname = $1", [`${name}_absent`])).toEqual([]);
    } finally {
      await limited.close();
      await rows(db, `drop database ${name}`);
      await rows(db, `drop role ${name}`);
    }
  });
});

describe("source_daily_v1", () => {
  it("is as exact as a report, before and after its quarters are counted", async () => {
    for (let i = 0; i < 10; i++) await db.transaction((tx) => correctCall(tx, random));
    const question = {
      accountId: account.id,
      from: START,
      to: START + 3 * DAY_MS,
      timeZone: "UTC",
      interval: "day",
      by: [],
      groupBy: ["source", "pool_id"],
      where: {},
    } as const;
    const daily = async () => {
      const { rows: found } = await client.query(
        `select to_char(day, 'YYYY-MM-DD') as day, source, pool_id, sum(calls)::int as calls, sum(confidence_ppm)::float8 as ppm, sum(revenue)::float8 as revenue
         from reporting.source_daily_v1 where account_id = $1 group by 1, 2, 3`,
        [account.id],
      );
      return new Map(
        found.map((row) => [
          `${row.day} null null ${JSON.stringify([row.source, row.pool_id])} USD`,
          [row.calls, row.ppm, row.revenue],
        ]),
      );
    };
    const wanted = new Map(
      Object.entries(oracle(await rawRows(db), question)).map(([key, sum]) => [
        key,
        [sum["calls"], sum["confidence_ppm"], sum["revenue"]],
      ]),
    );
    expect(await daily()).toEqual(wanted);
    await refreshReportCells(db, { countedAfterS: 0, quartersAtOnce: 20 });
    await db.transaction((tx) => addCalls(tx, random, { accounts: [account.id], times: times(5, 3) }));
    await refreshReportCells(db, { countedAfterS: 0, quartersAtOnce: 20 });
    const later = oracle(await rawRows(db), question);
    const now = await daily();
    expect([...now.keys()].sort()).toEqual(Object.keys(later).sort());
    for (const [key, [calls, ppm, revenue]] of now) {
      expect(later[key]).toMatchObject({ calls, confidence_ppm: ppm, revenue });
    }
    expect(await answerOf(db, question)).toEqual(later);
  });
});

describe("marks", () => {
  it("are written once a statement for each quarter and account, whatever changes", async () => {
    while ((await refreshReportCells(db, { countedAfterS: 0 })) > 0);
    const marks = async () =>
      (await rows<{ marks: number }>(db, "select count(*) as marks from report_mark"))[0]?.marks;
    expect(await marks()).toBe(0);
    await addCalls(db, random, {
      accounts: [account.id],
      times: Array.from({ length: 256 }, (_, i) => START + i * 1_000),
    });
    expect(await marks()).toBe(1);
    await rows(db, "update call set talk_ms = 1 where received_at < $1", [new Date(START + 256_000).toISOString()]);
    expect(await marks()).toBe(2);
    await rows(db, "delete from call where received_at = $1", [new Date(START + 255_000).toISOString()]);
    expect(await marks()).toBe(3);
  });

  it("keep calls counted that retention removes, and let it remove none that are not counted yet", async () => {
    const retire = () =>
      db.transaction(async (tx) => {
        await tx.query({ name: "", text: "select set_config('ringmatch.retiring', 'on', true)" });
        await tx.query({ name: "", text: "delete from call where received_at < $1" }, [
          new Date(START + DAY_MS).toISOString(),
        ]);
      });
    const question = {
      accountId: account.id,
      from: START,
      to: START + DAY_MS,
      timeZone: "UTC",
      interval: null,
      by: [],
      groupBy: ["source"],
      where: {},
    } as const;
    await expect(retire()).rejects.toMatchObject({ code: "55000" });
    while ((await refreshReportCells(db, { countedAfterS: 0 })) > 0);
    const before = await answerOf(db, question);
    expect(Object.keys(before).length).toBeGreaterThan(1);
    await retire();
    expect(await answerOf(db, question)).toEqual(before);
    // A call that comes late into retired time does not cost the others their place.
    await addCalls(db, random, { accounts: [account.id], times: [START + 5_000] });
    expect(await answerOf(db, question)).toEqual(before);
    while ((await refreshReportCells(db, { countedAfterS: 0 })) > 0);
    expect(await answerOf(db, question)).toEqual(before);
  });
});

it("a report of many days goes to its cells by their key, and to calls of marked quarters alone", async () => {
  const many = await freshDatabase();
  const world = await makeWorld(many.db, 1);
  await rows(
    many.db,
    `insert into report_day (cube, at, account_id, key, source, calls, routed, answered, missed, completed, busy, no_answer, failed, canceled, intercepted,
       talk_ms, matched, overflow, expired, never_presented, quarantined, unattributable, unattributed, judged, confidence_ppm, conversions, revenue)
     select 'source', '2026-01-01T00:00:00Z'::timestamptz + d * interval '24 hours', case a when 0 then $1 else 'acc_' || a end, md5(s::text)::uuid, 's' || s,
       1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
     from generate_series(0, 89) d, generate_series(0, 19) a, generate_series(0, 19) s`,
    [world.account.id],
  );
  await addCalls(many.db, random, { accounts: ["acc_1", world.account.id], times: times(4_000, 2) });
  await rows(many.db, "analyze");
  await rows(many.db, "delete from report_mark where id > 3");
  const from = Date.parse("2026-01-01T00:00:00Z");
  const spans = [{ bucket: 0, grain: "day", from, to: from + 90 * DAY_MS }] as const;
  const values = reportValues({
    accountId: world.account.id,
    cube: cubeOf(["source"]) ?? "source",
    spans,
    groupBy: ["source"],
    where: {},
    groupsMax: 1_000,
  });
  const nodes = await planOf(many.db, OF_ACCOUNT.text, values);
  const scans = nodes.filter((n) => /^(report_day|report_quarter|call_|call$)/.test(n["Relation Name"] ?? ""));
  expect(scans.filter((n) => n["Node Type"] === "Seq Scan" && (n["Actual Loops"] ?? 0) > 0)).toEqual([]);
  expect(scans.some((n) => n["Index Name"] === "report_day_pkey")).toBe(true);
  const read = scans.reduce(
    (sum, n) => sum + ((n["Actual Rows"] ?? 0) + (n["Rows Removed by Filter"] ?? 0)) * (n["Actual Loops"] ?? 0),
    0,
  );
  expect(read).toBeLessThan(3_000);
});
