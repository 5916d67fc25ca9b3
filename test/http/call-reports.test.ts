import { describe, expect, it } from "vitest";
import { countReports } from "../../src/jobs/report-cells.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { allocationFor, makeAccount, makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);
const { account, pool } = await makeWorld(db, 2);
const other = await makeAccount(db, "other");
await rows(db, "update account set time_zone = 'America/New_York', currency = 'USD' where id = $1", [account.id]);
await rows(db, "update account set currency = 'EUR' where id = $1", [other.id]);
const NEVER = { aborted: false };

interface Call {
  readonly at: string;
  readonly source?: string | null;
  readonly page?: string | null;
  readonly attribution?: string;
  readonly confidence?: number | null;
  readonly accountId?: string | null;
  readonly talkMs?: number | null;
  readonly disposition?: string;
}

let serial = 0;

async function call(given: Call): Promise<string> {
  const id = `call_${String(serial++).padStart(4, "0")}`;
  const { at, source = null, page = null, attribution = "matched", confidence = null, talkMs = null } = given;
  const { accountId = account.id, disposition = "routed" } = given;
  await rows(
    db,
    `insert into call (id, account_id, pool_id, received_at, ingress, ingress_call_id, promo_number, disposition, status, progress, answered_at, talk_ms,
       attribution, presentation_id, confidence, landing_page, source, updated_at)
     values ($1, $2, $3, $4::timestamptz, 'sip', $1, '+18885550001', $5, 'completed', '{}', case when $6::int is not null then $4::timestamptz end, $6, $7,
       case when $7 = 'matched' then 'prs_' || $1 end, $8, $9, $10, now())`,
    [
      id,
      accountId,
      accountId === account.id ? pool.id : null,
      at,
      disposition,
      talkMs,
      attribution,
      confidence,
      page,
      source,
    ],
  );
  return id;
}

async function correct(
  id: string,
  changes: { source: string | null; revenue: number | null; accountId?: string },
): Promise<void> {
  await rows(
    db,
    `insert into call_correction (id, call_id, received_at, account_id, revision, corrects_id, kind, actor, reason, attribution_corrected, attribution, presentation_id, confidence,
       source, conversion, revenue)
     select c.id || '_r', c.id, c.received_at, c.account_id, 1, c.id, 'correction', 'test', 'test', true, c.attribution, c.presentation_id, c.confidence, $2,
       true, $3 from call c where c.id = $1`,
    [id, changes.source, changes.revenue],
  );
  await rows(db, "update call set revision = 1 where id = $1", [id]);
}

const RANGE = "from=2026-03-07T05:00:00Z&to=2026-03-10T04:00:00Z";
// Two days of New York before its clocks go forward on the 8th, one after.
await call({
  at: "2026-03-07T15:00:00Z",
  source: "google",
  confidence: 0.9,
  talkMs: 60_000,
  page: "https://a.example/?gclid=x",
});
await call({ at: "2026-03-07T15:05:00Z", source: "google", confidence: 0.7, page: "https://a.example/#top" });
await call({ at: "2026-03-08T04:59:59.999Z", source: "google", attribution: "overflow" });
const sold = await call({ at: "2026-03-08T05:00:00Z", source: "bing", confidence: 0.5 });
await call({ at: "2026-03-09T03:59:59.999Z", source: null, attribution: "never_presented" });
await call({ at: "2026-03-09T14:00:00Z", source: "=1+1", attribution: "expired" });
await call({ at: "2026-03-07T04:59:59.999Z", source: "google" });
await call({ at: "2026-03-10T04:00:00Z", source: "google" });
await call({
  at: "2026-03-08T12:00:00Z",
  accountId: null,
  attribution: "unattributable",
  disposition: "unknown_number",
});
const foreign = await call({ at: "2026-03-08T12:00:00Z", accountId: other.id, confidence: 1 });
await correct(sold, { source: "bing", revenue: 99.5 });
await correct(foreign, { source: null, revenue: 10 });

const report = async (path: string, key?: string) => {
  const answer = await request("GET", `/v1/reports/${path}`, key === undefined ? {} : { key });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
};
const own = `${RANGE}&account_id=${account.id}`;

describe.each(["from calls", "from cells"])("GET /v1/reports, %s", (how) => {
  it("adds up calls by source, with the shares that nobody likes to show", async () => {
    if (how === "from cells") await countReports(db, NEVER);
    const [marks] = await rows(db, "select count(*) as marks from report_mark");
    expect(marks?.["marks"] === 0).toBe(how === "from cells");
    const { data, totals, time_zone: zone, from, to } = await report(`sources?${own}`);
    expect({ zone, from, to }).toEqual({
      zone: "America/New_York",
      from: "2026-03-07T05:00:00.000Z",
      to: "2026-03-10T04:00:00.000Z",
    });
    expect(data.map((row: { source: string; calls: number }) => [row.source, row.calls])).toEqual([
      ["google", 3],
      ["=1+1", 1],
      ["bing", 1],
      [null, 1],
    ]);
    expect(data[0]).toMatchObject({
      routed: 3,
      answered: 1,
      missed: 2,
      matched: 2,
      overflow: 1,
      judged: 2,
      talk_ms: 60_000,
    });
    expect(data[0]).toMatchObject({
      unattributed_share: 0.333333,
      estimated_misattribution: 0.2,
      revenue: 0,
      currency: "USD",
    });
    expect(data[2]).toMatchObject({
      conversions: 1,
      revenue: 99.5,
      estimated_misattribution: 0.5,
      unattributed_share: 0,
    });
    expect(data[3]).toMatchObject({ unattributed_share: 1, estimated_misattribution: null });
    expect(totals).toMatchObject({
      calls: 6,
      matched: 3,
      unattributed_share: 0.5,
      estimated_misattribution: 0.3,
      revenue: 99.5,
    });
  });

  it("has a row for every day of the zone, the short one too, and for days without calls", async () => {
    const { data } = await report(
      `calls?${own}&interval=day&to=2026-03-11T04:00:00Z`.replace("&to=2026-03-10T04:00:00Z", ""),
    );
    expect(data.map((row: Record<string, unknown>) => [row["interval"], row["starts_at"], row["calls"]])).toEqual([
      ["2026-03-07", "2026-03-07T05:00:00.000Z", 3],
      ["2026-03-08", "2026-03-08T05:00:00.000Z", 2],
      ["2026-03-09", "2026-03-09T04:00:00.000Z", 1],
      ["2026-03-10", "2026-03-10T04:00:00.000Z", 1],
    ]);
    const bySource = (await report(`sources?${own}&interval=day&group_by=source&source=bing`)).data;
    expect(bySource.map((row: Record<string, unknown>) => [row["source"], row["calls"]])).toEqual([
      ["bing", 0],
      ["bing", 1],
      ["bing", 0],
    ]);
    const empty = await report(`calls?${own}&source=nobody`);
    expect(empty.data).toMatchObject([
      { calls: 0, unattributed_share: null, estimated_misattribution: null, revenue: 0 },
    ]);
  });

  it("tells hours of the day and days of the week apart on the zone's clocks", async () => {
    const { data } = await report(`calls?${own}&group_by=day_of_week,hour_of_day&sort=-calls`);
    const some = data.filter((row: { calls: number }) => row.calls > 0);
    expect(some.map((row: Record<string, number>) => [row["day_of_week"], row["hour_of_day"], row["calls"]])).toEqual([
      [6, 10, 2],
      [6, 23, 1],
      [7, 0, 1],
      [7, 23, 1],
      [1, 10, 1],
    ]);
  });

  it("takes pages for one page, whoever visited them", async () => {
    const { data } = await report(`sources?${own}&group_by=landing_page`);
    expect(data.map((row: Record<string, unknown>) => [row["landing_page"], row["calls"]])).toEqual([
      [null, 4],
      ["https://a.example/", 2],
    ]);
  });

  it("shows the platform all accounts and calls nobody owned, and adds up no euros and dollars", async () => {
    const { data, totals } = await report(`calls?${RANGE}&group_by=account_id`);
    expect(
      data.map((row: Record<string, unknown>) => [row["account_id"], row["calls"], row["revenue"], row["currency"]]),
    ).toEqual(
      [
        [account.id, 6, 99.5, "USD"],
        [other.id, 1, 10, "EUR"],
        [null, 1, 0, null],
      ].sort((a, b) => Number(b[1]) - Number(a[1]) || (JSON.stringify([a[0]]) < JSON.stringify([b[0]]) ? -1 : 1)),
    );
    expect(totals).toMatchObject({ calls: 8, revenue: null, currency: null });
  });

  it.each(["%2B18885550001", "+18885550001"])(
    "finds a promo number written %s, as the list of calls does",
    async (number) => {
      expect((await report(`numbers?${own}&promo_number=${number}`)).totals.calls).toBe(6);
    },
  );

  it("pages in the order asked for", async () => {
    const first = await report(`sources?${own}&sort=calls&limit=3`);
    const second = await report(`sources?${own}&sort=calls&limit=3&cursor=${first.next_cursor}`);
    const sources = [...first.data, ...second.data].map((row: { source: string | null }) => row.source);
    expect(sources).toEqual(["=1+1", "bing", null, "google"]);
    expect(second.next_cursor).toBeNull();
    expect(second.totals).toEqual(first.totals);
    const rolling = await report("sources?limit=1&sort=calls");
    expect(rolling.data.length).toBeLessThanOrEqual(1);
  });

  it("goes on with the range of its first page when time goes on", async () => {
    let now = Date.parse("2026-03-10T03:59:59Z");
    const query: typeof db.query = async <Row>(...[asked, values]: Parameters<typeof db.query>) =>
      asked.name === "database_now" ? ([{ now }] as Row[]) : db.query<Row>(asked, values);
    const clocked = makeHttpWorld({ ...db, query });
    const hours: number[] = [];
    for (let cursor = ""; ; now += 3_600_000) {
      const url = `/v1/reports/calls?account_id=${account.id}&time_zone=UTC&group_by=hour_of_day&limit=10${cursor}`;
      const page = (await clocked.request("GET", url)).json();
      expect([page.from, page.to]).toEqual(["2026-02-08T03:59:59.000Z", "2026-03-10T03:59:59.000Z"]);
      hours.push(...page.data.map((row: { hour_of_day: number }) => row.hour_of_day));
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(hours).toEqual(Array.from({ length: 24 }, (_, i) => (i + 3) % 24));
  });

  it("is CSV that no spreadsheet runs", async () => {
    const answer = await request("GET", `/v1/reports/sources.csv?${own}&interval=month`);
    expect(answer.headers["content-type"]).toBe("text/csv; charset=utf-8");
    const [head, ...lines] = answer.body.trimEnd().split("\r\n");
    expect(head).toMatch(
      /^interval,starts_at,ends_at,source,calls,routed,.*,unattributed_share,estimated_misattribution,revenue,currency$/,
    );
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^2026-03,2026-03-07T05:00:00.000Z,2026-03-10T04:00:00.000Z,'=1\+1,1,1,/);
    expect((await request("GET", `/v1/reports/calls.csv?${own}`)).body.split("\r\n")).toHaveLength(3);
  });
});

describe("what a report may ask", () => {
  it("shows an account's key its own calls alone", async () => {
    const key = await keyOf(other.id, ["read"]);
    expect((await report(`calls?${RANGE}`, key)).totals).toMatchObject({ calls: 1, revenue: 10, currency: "EUR" });
    expect(problemIn(await request("GET", `/v1/reports/calls?account_id=${account.id}`, { key })).status).toBe(404);
    expect(problemIn(await request("GET", `/v1/reports/calls?account_id=acc_nobody`)).status).toBe(404);
    expect(problemIn(await request("GET", "/v1/reports/calls", { key: null })).status).toBe(401);
  });

  it("refuses what cannot be combined or is too much, and says what can be", async () => {
    const refusals: [string, string, RegExp][] = [
      [
        "sources?group_by=landing_page,campaign",
        "group_by",
        /channel, source, medium, campaign, pool_id · landing_page, pool_id · promo_number/,
      ],
      ["sources?landing_page=x&group_by=source", "group_by", /not counted together/],
      ["calls?group_by=campaign", "group_by", /none of: account_id, pool_id, ingress, hour_of_day, day_of_week/],
      ["calls?from=2024-01-01&to=2026-01-01", "from", /400 days/],
      ["calls?from=2026-01-02&to=2026-01-01", "from", /before/],
      ["calls?time_zone=Mars/Base", "time_zone", /IANA/],
      ["calls?sort=name", "sort", /./],
      ["calls?group_by=hour_of_day&interval=hour&cursor=xx", "cursor", /next_cursor/],
      ["calls?utm=1", "utm", /unknown/],
    ];
    for (const [path, field, message] of refusals) {
      const problem = problemIn(await request("GET", `/v1/reports/${path}`));
      expect(problem).toMatchObject({ status: 422, errors: [{ path: field }] });
      expect(problem.errors?.[0]?.message).toMatch(message);
    }
  });

  it("refuses more rows than an answer holds", async () => {
    await rows(
      db,
      `insert into call (id, account_id, received_at, ingress, ingress_call_id, promo_number, disposition, status, progress, attribution, source, updated_at)
       select 'call_many' || i, $1, '2026-04-01T00:00:00Z', 'sip', i, '+18885550002', 'routed', 'completed', '{}', 'expired', 's' || i, now()
       from generate_series(1, 80) i`,
      [other.id],
    );
    const path = `sources?account_id=${other.id}&from=2026-03-15&to=2026-04-15&interval=hour`;
    expect(problemIn(await request("GET", `/v1/reports/${path}`)).errors?.[0]?.message).toMatch(/more than 50000 rows/);
  });
});

describe("GET /v1/reports/pools", () => {
  it("holds a month's visitors against the numbers of that month, however long the report", async () => {
    const older = await makeWorld(db, 2);
    await rows(db, "update pool set created_at = now() - interval '200 days' where id = $1", [older.pool.id]);
    await rows(
      db,
      `update number_event e set at = now() - interval '31 days' from promo_number n where n.id = e.number_id and n.pool_id = $1`,
      [older.pool.id],
    );
    await presentBatch(db, [allocationFor(older)]);
    const from = new Date(Date.now() - 200 * 86_400_000).toISOString();
    const { data } = (await request("GET", `/v1/reports/pools?from=${from}&account_id=${older.account.id}`)).json();
    expect(data).toMatchObject([{ pool_id: older.pool.id, pool: { usable: 2 } }]);
    expect(data[0].pool.numbers).toBeCloseTo(2, 2);
  });

  it("says how full a pool was and how far back it remembers, calls or not", async () => {
    const fresh = await makeWorld(db, 2);
    await presentBatch(db, [allocationFor(fresh), allocationFor(fresh)]);
    await rows(db, "update pool_scaling set exhausted = exhausted + 1 where pool_id = $1", [fresh.pool.id]);
    const path = `pools?account_id=${fresh.account.id}&from=${new Date(Date.now() - 3_600_000).toISOString()}`;
    // A mean since the pool was made, which was a moment before it had numbers: that moment must weigh little.
    const data = await until("a pool older than its making", async () => {
      const found = (await report(path)).data;
      return found[0]?.pool.numbers > 1.95 ? found : null;
    });
    expect(data).toHaveLength(1);
    expect(data[0]).toMatchObject({
      pool_id: fresh.pool.id,
      calls: 0,
      unattributed_share: null,
      estimated_misattribution: null,
    });
    const { pool: load } = data[0];
    expect(load).toMatchObject({ name: "pool", visitors_turned_away: 1, overflow_share: 0.333333 });
    expect(load.lambda_per_s).toBeGreaterThan(0);
    expect(load.horizon_s).toBeCloseTo(load.usable / load.lambda_per_s, 0);
    expect(load.numbers).toBeCloseTo(2, 1);
    expect(load.utilisation).toBeCloseTo(Math.min(1, load.erlangs / 2), 3);
    const csv = (await request("GET", `/v1/reports/pools.csv?account_id=${fresh.account.id}`)).body;
    expect(csv.split("\r\n")[0]).toMatch(
      /^pool_id,calls,.*pool_utilisation,pool_visitors_turned_away,pool_overflow_share,pool_horizon_s/,
    );
    const daily = await report(`pools?account_id=${fresh.account.id}&interval=day`);
    expect(daily.data[0].pool).toBeUndefined();
  });
});
