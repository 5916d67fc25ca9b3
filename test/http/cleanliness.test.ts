import { describe, expect, it } from "vitest";
import { advanceNumber, quarantineNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { findNumber, type PromoNumber } from "../../src/pool/numbers.store.js";
import { addNumbers } from "../../src/pool/pool-changes.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { ids, inboundCall, makeWorld, RecordingSchedule, secrets, type World } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);
const deps = { db, ids, schedule: new RecordingSchedule() };
const why = { reason: "test", actor: "test" };

async function quarantined(daysAgo: number): Promise<{ world: World; e164: string }> {
  const world = await makeWorld(db, 1);
  const e164 = world.numbers[0] as string;
  await quarantineNumber(deps, { e164, accountId: null, ...why });
  await rows(
    db,
    "update promo_number set quarantined_at = quarantined_at - make_interval(days => $2) where e164 = $1",
    [e164, daysAgo],
  );
  return { world, e164 };
}

const callFrom = (e164: string, caller: string | null) =>
  openCall({ db, ids, secrets }, { call: inboundCall(e164, { caller }), callId: ids.next("call"), late: null });

async function advance(e164: string): Promise<string> {
  const { ownershipEpoch } = (await findNumber(db, e164)) as PromoNumber;
  return (await advanceNumber(deps, { e164, ownershipEpoch, actor: "job:numbers" })).kind;
}

const statementOf = (e164: string, key?: string) =>
  request("GET", `/v1/numbers/${encodeURIComponent(e164)}/cleanliness`, key === undefined ? {} : { key });

describe("GET /v1/numbers/:number/cleanliness", () => {
  it("tells what was known at the release: days, calls, callers, what did not count, bound, rule, who and why", async () => {
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, spamCallers: ["+14155550199"] });
    const { e164 } = await quarantined(60);
    for (const caller of ["+14155550101", "+14155550101", "+14155550199", "+14155550101"]) await callFrom(e164, caller);
    expect(await advance(e164)).toBe("released");
    const statement = (await statementOf(e164)).json();
    expect(statement).toMatchObject({
      number: e164,
      intercepted_calls: 4,
      distinct_callers: 1,
      not_counted: { spam_caller: 1, repeat_caller: 2 },
      rule: { hold_s: 3_888_000, max_rate_per_day: 0.1, confidence: 0.95 },
      is_clean: true,
      reason: "clean by the quarantine rule",
      released_by: "job:numbers",
    });
    expect(statement.days_watched).toBeCloseTo(60, 2);
    // One caller: 4.744 at 95 %, in 60 days.
    expect(statement.rate_upper_bound_per_day).toBeCloseTo(4.744 / 60, 3);

    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, maxRatePerDay: 7, holdS: 0 });
    expect((await statementOf(e164)).json()).toEqual(statement);
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });

  it("is for whoever holds the number now, and holds nothing of callers or of who had it before", async () => {
    const { world: before, e164 } = await quarantined(3);
    const next = await makeWorld(db, 1, { maxSize: 2 });
    for (const caller of ["+14155550101", "+14155550102"]) await callFrom(e164, caller);
    const refused = await request("POST", `/v1/numbers/${encodeURIComponent(e164)}/release`, {
      body: { reason: "moved" },
    });
    expect(refused.statusCode).toBe(409);
    await request("POST", `/v1/numbers/${encodeURIComponent(e164)}/release`, {
      body: { reason: "urgent move", force: true },
    });
    await addNumbers(deps, { poolId: next.pool.id, numbers: [e164], actor: "test" });

    const statement = await statementOf(e164, await keyOf(next.account.id, ["read"]));
    expect(statement.json()).toMatchObject({ is_clean: false, reason: "forced: urgent move", distinct_callers: 2 });
    expect(statement.json().released_by).toBe("key:admin");
    for (const secret of ["4155550101", "4155550102", before.account.id, before.pool.id]) {
      expect(statement.body).not.toContain(secret);
    }
    expect(problemIn(await statementOf(e164, await keyOf(before.account.id, ["read"]))).status).toBe(404);
  });

  it("is 404 for a number that never left a quarantine", async () => {
    const { numbers } = await makeWorld(db, 1);
    expect(problemIn(await statementOf(numbers[0] as string))).toMatchObject({ status: 404, code: "not_found" });
    const { e164 } = await quarantined(1);
    expect((await statementOf(e164)).statusCode).toBe(404);
  });

  it("tells of the latest release, and the database keeps the others as they were", async () => {
    const { e164 } = await quarantined(60);
    await releaseNumber(deps, { e164, force: false, reason: "first", actor: "test" });
    await quarantineNumber(deps, { e164, accountId: null, ...why });
    await releaseNumber(deps, { e164, force: true, reason: "second", actor: "test" });
    expect((await statementOf(e164)).json().reason).toBe("forced: second");
    const id = ((await findNumber(db, e164)) as PromoNumber).id;
    const kept = await rows(db, "select reason from cleanliness_statement where number_id = $1 order by id", [id]);
    expect(kept).toEqual([{ reason: "first" }, { reason: "forced: second" }]);
    for (const text of ["update cleanliness_statement set is_clean = true", "delete from cleanliness_statement"]) {
      await expect(rows(db, text)).rejects.toMatchObject({ code: "23514" });
    }
  });
});

describe("a number that never comes clean", () => {
  const DAY_S = 86_400;
  const proposed = async (query = "") => (await request("GET", `/v1/numbers?proposed=retire${query}`)).json().data;

  it("is proposed for retirement after retire_after_s, listed and written down, and retired by nobody but an admin", async () => {
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, retireAfterS: 90 * DAY_S });
    const { e164 } = await quarantined(91);
    for (let i = 0; i < 10; i++) await callFrom(e164, `+1415555${3000 + i}`);
    expect(await advance(e164)).toBe("not_yet");
    expect(await proposed()).toMatchObject([{ number: e164, state: "quarantined" }]);
    const one = (await request("GET", `/v1/numbers/${encodeURIComponent(e164)}`)).json();
    expect(Date.parse(one.retirement_proposed_at)).toBeGreaterThan(Date.now() - 60_000);
    expect(one.history.at(-1)).toMatchObject({
      state: "quarantined",
      actor: "job:numbers",
      reason: "proposed for retirement: not clean yet, 10 distinct callers",
    });
    // Once, however often it is looked at.
    await advance(e164);
    const again = (await request("GET", `/v1/numbers/${encodeURIComponent(e164)}`)).json();
    expect(again.history).toEqual(one.history);
    expect(again.state).toBe("quarantined");

    const retired = await request("POST", `/v1/numbers/${encodeURIComponent(e164)}/retire`, {
      body: { reason: "as proposed" },
    });
    expect(retired.json()).toMatchObject({ state: "retired", retirement_proposed_at: null });
    expect(await proposed()).toEqual([]);
  });

  it("is looked at when it is due, not only when it could be clean", async () => {
    const { e164 } = await quarantined(0);
    const number = (await findNumber(db, e164)) as PromoNumber;
    // Ten callers: clean in 170 days at the earliest, proposed after 90.
    await rows(db, "update promo_number set quarantined_at = now() - interval '50 days' where e164 = $1", [e164]);
    for (let i = 0; i < 10; i++) await callFrom(e164, `+1415555${4000 + i}`);
    await advance(e164);
    const next = ((await findNumber(db, e164)) as PromoNumber).nextCheckAt ?? 0;
    expect((next - number.stateSince) / 86_400_000).toBeCloseTo(40, 1);
  });

  it("is not proposed any more when the rule says so, and never before its hold is over or when it is clean", async () => {
    const { e164 } = await quarantined(100);
    for (let i = 0; i < 10; i++) await callFrom(e164, `+1415555${5000 + i}`);
    await advance(e164);
    expect(await proposed()).toMatchObject([{ number: e164 }]);
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, retireAfterS: null });
    await advance(e164);
    expect(await proposed()).toEqual([]);
    const one = (await request("GET", `/v1/numbers/${encodeURIComponent(e164)}`)).json();
    expect(one.history.at(-1).reason).toBe("retirement not proposed any more");

    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, retireAfterS: 1 });
    const young = await quarantined(44);
    expect(await advance(young.e164)).toBe("not_yet");
    const clean = await quarantined(46);
    expect(await advance(clean.e164)).toBe("released");
    expect((await proposed()).map(({ number }: { number: string }) => number)).not.toContain(young.e164);
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });

  it("only a quarantined number can be proposed", async () => {
    const { numbers } = await makeWorld(db, 1);
    const text = "update promo_number set retirement_proposed_at = now() where e164 = $1";
    await expect(rows(db, text, [numbers[0]])).rejects.toMatchObject({ code: "23514" });
  });
});
