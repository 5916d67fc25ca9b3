import { describe, expect, it } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { writeCalls } from "../support/pool-log.js";
import { allocationFor, makeWorld, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);

interface Hold {
  readonly accountId: string;
  readonly poolId: string | null;
  readonly count: number;
  readonly from: string;
}

/** Numbers that were held from then until August 2024. */
async function hold({ accountId, poolId, count, from }: Hold): Promise<void> {
  await rows(
    db,
    `with added as (
       insert into promo_number (e164, number_type, npa, state, quarantined_at)
         select e164, 'toll_free', '888', 'quarantined', '2024-08-01' from unnest($1::text[]) e164 returning id)
     insert into number_event (number_id, at, state, role, account_id, pool_id, ownership_epoch, reason, actor)
       select id, at, state, role, account, pool, 1, 'test', 'test' from added cross join (values
         ($4::timestamptz, 'assigned', 'pool', $2, $3), ('2024-08-01Z', 'quarantined', null, null, null)) as h (at, state, role, account, pool)
       order by id, at`,
    [tollFreeNumbers(count), accountId, poolId, from],
  );
}

/** Two accounts: one with two numbers for all of June 2024 and a static one in its last minute; the other with one from 15 June, noon. */
async function june() {
  const first = await makeWorld(db, 2);
  const second = await makeWorld(db, 1);
  await hold({ accountId: first.account.id, poolId: first.pool.id, count: 2, from: "2024-05-01T00:00:00Z" });
  await hold({ accountId: first.account.id, poolId: null, count: 1, from: "2024-06-30T23:59:00Z" });
  await hold({ accountId: second.account.id, poolId: second.pool.id, count: 1, from: "2024-06-15T12:00:00Z" });
  await presentBatch(db, [allocationFor(first)], Date.parse("2024-06-30T23:59:59.999Z"));
  await presentBatch(db, [allocationFor(first)], Date.parse("2024-07-01T00:00:00Z"));
  const [number = ""] = first.numbers;
  await writeCalls(db, first, [{ number, receivedAgoS: 0, delayS: 5, talkMs: 90_500 }]);
  await rows(db, "update call set received_at = '2024-06-10T10:00:00Z' where account_id = $1", [first.account.id]);
  return { first, second };
}

const { first, second } = await june();

describe("GET /v1/usage", () => {
  it("shows a month by account and pool, and each account's total", async () => {
    const { from, to, data, totals } = (await request("GET", "/v1/usage?month=2024-06")).json();
    expect([from, to]).toEqual(["2024-06-01T00:00:00.000Z", "2024-07-01T00:00:00.000Z"]);
    const none = { presentations: 0, calls: 0, minutes: 0, minutes_started: 0 };
    const [ofFirst, ofStatic, ofSecond] = [
      {
        number_days: 60,
        number_seconds: 5_184_000,
        peak_numbers: 2,
        presentations: 1,
        calls: 1,
        minutes: 1.508333,
        minutes_started: 2,
      },
      { number_days: 0.00069444, number_seconds: 60, peak_numbers: 1, ...none },
      { number_days: 15.5, number_seconds: 1_339_200, peak_numbers: 1, ...none },
    ];
    expect(data).toEqual([
      { account_id: first.account.id, pool_id: first.pool.id, ...ofFirst },
      { account_id: first.account.id, pool_id: null, ...ofStatic },
      { account_id: second.account.id, pool_id: second.pool.id, ...ofSecond },
    ]);
    expect(totals).toEqual([
      {
        account_id: first.account.id,
        ...ofFirst,
        number_days: 60.00069444,
        number_seconds: 5_184_060,
        peak_numbers: 3,
      },
      { account_id: second.account.id, ...ofSecond },
    ]);
  });

  it("begins and ends the month where the time zone does", async () => {
    const url = `/v1/usage?month=2024-06&account_id=${first.account.id}`;
    const berlin = (await request("GET", `${url}&time_zone=Europe/Berlin`)).json();
    expect([berlin.from, berlin.to]).toEqual(["2024-05-31T22:00:00.000Z", "2024-06-30T22:00:00.000Z"]);
    expect(berlin.data).toMatchObject([{ number_days: 60, presentations: 0, calls: 1 }]);
    const newYork = (await request("GET", `${url}&time_zone=America/New_York`)).json();
    expect(newYork.data).toMatchObject([
      { number_days: 60, presentations: 2 },
      { pool_id: null, number_seconds: 4 * 3_600 + 60 },
    ]);
  });

  it("counts a running month up to now, and a coming one not at all", async () => {
    const running = (await request("GET", "/v1/usage")).json();
    const [{ now }] = (await rows<{ now: number }>(db, "select now() as now")) as [{ now: number }];
    expect(running.month).toBe(new Date(now).toISOString().slice(0, 7));
    expect(Math.abs(Date.parse(running.to) - now)).toBeLessThan(60_000);
    const [{ at }] = (await rows<{ at: number }>(db, "select max(at) as at from number_event where pool_id = $1", [
      second.pool.id,
    ])) as [{ at: number }];
    const line = running.data.find((one: { pool_id: string }) => one.pool_id === second.pool.id);
    expect(line).toMatchObject({ peak_numbers: 1 });
    expect(line.number_seconds).toBeCloseTo((Date.parse(running.to) - at) / 1_000, 2);
    expect((await request("GET", "/v1/usage?month=2100-01")).json()).toMatchObject({ data: [], totals: [] });
  });

  it("shows an account's key its own usage only", async () => {
    const key = await keyOf(second.account.id, ["read"]);
    const { data, totals } = (await request("GET", "/v1/usage?month=2024-06", { key })).json();
    expect(data.map((one: { account_id: string }) => one.account_id)).toEqual([second.account.id]);
    expect(totals).toHaveLength(1);
    const other = await request("GET", `/v1/usage?month=2024-06&account_id=${first.account.id}`, { key });
    expect(problemIn(other)).toMatchObject({ status: 404 });
    const csv = await request("GET", "/v1/usage.csv?month=2024-06", { key });
    expect(csv.body).not.toContain(first.account.id);
    expect(problemIn(await request("GET", "/v1/usage", { key: null })).status).toBe(401);
  });

  it("is CSV too", async () => {
    const { body, headers } = await request("GET", `/v1/usage.csv?month=2024-06&account_id=${first.account.id}`);
    expect(headers["content-type"]).toBe("text/csv; charset=utf-8");
    expect(headers["content-disposition"]).toBe('attachment; filename="usage-2024-06.csv"');
    expect(body.split("\r\n")).toEqual([
      "account_id,pool_id,number_days,peak_numbers,presentations,calls,minutes,minutes_started,number_seconds",
      `${first.account.id},${first.pool.id},60,2,1,1,1.508333,2,5184000`,
      `${first.account.id},,0.00069444,1,0,0,0,0,60`,
      "",
    ]);
  });

  it("refuses what is no month and no time zone", async () => {
    for (const query of [
      "month=2026-13",
      "month=June",
      "month=2024-06-01",
      "month=0000-01",
      "month=1969-12",
      "time_zone=Mars/Base",
      "months=2024-06",
    ]) {
      expect(problemIn(await request("GET", `/v1/usage?${query}`))).toMatchObject({
        status: 422,
        errors: [{ path: query.split("=")[0] }],
      });
    }
  });
});
