import { describe, expect, it, onTestFinished, vi } from "vitest";
import { silentLog } from "../../src/kernel/log.js";
import { applyRetention, dropOldPartitions } from "../../src/jobs/privacy-chores.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";

const { db } = await freshDatabase();
const options = { db, ids, secrets, log: silentLog };
const DAY_MS = 86_400_000;

async function callDaysAgo(number: string, days: number): Promise<string> {
  const opening = { call: inboundCall(number), callId: ids.next("call"), late: null };
  const { callId } = (await openCall({ db, secrets, ids }, opening)).ref;
  // Its account held the number all the time.
  await rows(db, "update call set received_at = received_at - make_interval(days => $2) where id = $1", [callId, days]);
  return callId;
}

async function presentDaysAgo(world: World, days: number): Promise<string> {
  const [outcome] = await presentBatch(db, [allocationFor(world)], Date.now() - days * DAY_MS);
  if (outcome === undefined || !("promoNumber" in outcome)) throw new Error("no number was presented");
  return outcome.visitorId;
}

async function keep(world: World, settings: { callers?: number; log?: number }): Promise<void> {
  const { callers = 365, log = 90 } = settings;
  await rows(db, "update account set caller_retention_days = $2, presentation_retention_days = $3 where id = $1", [
    world.account.id,
    callers,
    log,
  ]);
}

const last4Of = async (id: string) =>
  (await rows<{ caller_last4: string | null }>(db, "select caller_last4 from call where id = $1", [id]))[0]
    ?.caller_last4;

describe("callers", () => {
  it("are removed after the account's own time, and the calls stay", async () => {
    const [short, long] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    await keep(short, { callers: 10 });
    const [a, b] = [short.numbers[0] ?? "", long.numbers[0] ?? ""];
    const [over, within, other] = [await callDaysAgo(a, 11), await callDaysAgo(a, 9), await callDaysAgo(b, 11)];
    await applyRetention(options);
    expect([await last4Of(over), await last4Of(within), await last4Of(other)]).toEqual([null, "0123", "0123"]);
    const [row] = await rows(
      db,
      "select caller_enc, caller_hash, caller_name_enc, attribution from call where id = $1",
      [over],
    );
    expect(row).toMatchObject({ caller_enc: null, caller_hash: null, caller_name_enc: null });
    // Shorter from now on: what is older goes, whatever was marked as done.
    await keep(short, { callers: 5 });
    await applyRetention(options);
    expect(await last4Of(within)).toBeNull();
  });

  it("of calls that nobody's number took, after a year", async () => {
    const [over, within] = [await callDaysAgo("+14155550000", 366), await callDaysAgo("+14155550000", 364)];
    await applyRetention(options);
    expect([await last4Of(over), await last4Of(within)]).toEqual([null, "0123"]);
  });

  it("stay where only the clock of this machine says that it is time", async () => {
    const within = await callDaysAgo("+14155550000", 364);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * DAY_MS });
    onTestFinished(() => void vi.useRealTimers());
    await applyRetention(options);
    expect(await last4Of(within)).toBe("0123");
  });
});

describe("the presentation log", () => {
  it("is removed after the account's own time, with visitors whom nothing tells of", async () => {
    const [short, long] = [await makeWorld(db, 2), await makeWorld(db, 2)];
    await keep(short, { log: 20 });
    const [over, within, other] = [
      await presentDaysAgo(short, 21),
      await presentDaysAgo(short, 19),
      await presentDaysAgo(long, 21),
    ];
    await applyRetention(options);
    const left = async (table: string, column: string, ids: string[]) =>
      (
        await rows<{ id: string }>(db, `select distinct ${column} as id from ${table} where ${column} = any ($1)`, [
          ids,
        ])
      ).map(({ id }) => id);
    expect((await left("presentation", "visitor_id", [over, within, other])).sort()).toEqual([within, other].sort());
    // Whoever still holds a number is not forgotten: the number's row says them.
    expect((await left("visitor", "id", [over, within, other])).sort()).toEqual([over, within, other].sort());
    await rows(db, "update promo_number set held_by = null where visitor_id = $1", [over]);
    await applyRetention(options);
    expect((await left("visitor", "id", [over, within, other])).sort()).toEqual([within, other].sort());
  });

  it("is not kept in the numbers' rows either", async () => {
    const world = await makeWorld(db, 2);
    await keep(world, { log: 20 });
    const touched = { touch: { gclid: "click" }, customData: { plan: "pro" } };
    const [old, recent] = await Promise.all(
      [21, 19].map((days) => presentBatch(db, [{ ...allocationFor(world), ...touched }], Date.now() - days * DAY_MS)),
    );
    await applyRetention(options);
    const said = async (outcome: typeof old) => {
      const [seen] = outcome ?? [];
      if (seen === undefined || !("promoNumber" in seen)) throw new Error("no number was presented");
      return rows(db, "select touch, custom_data from promo_number where e164 = $1", [seen.promoNumber]);
    };
    expect(await said(old)).toEqual([{ touch: {}, custom_data: {} }]);
    expect(await said(recent)).toEqual([{ touch: { gclid: "click" }, custom_data: { plan: "pro" } }]);
  });

  it("loses whole days that no account keeps, and none that one does", async () => {
    const names = async () =>
      (
        await rows<{ name: string }>(
          db,
          `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = 'presentation'::regclass and c.relname ~ '\\d{8}$' order by 1`,
        )
      ).map(({ name }) => name);
    await rows(db, "select ensure_partitions(now() - interval '100 days', 15)");
    await rows(db, "update account set presentation_retention_days = 95, presentations_kept_from = '-infinity'");
    await rows(db, "delete from account_retention");
    const before = await names();
    // Nothing of an account goes before its log is said to begin later.
    await dropOldPartitions(options);
    expect(await names()).toEqual(before);
    await applyRetention(options);
    await dropOldPartitions(options);
    const after = await names();
    const oldest = new Date(Date.now() - 95 * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
    expect(after[0]).toBe(`presentation_${oldest}`);
    expect(before.filter((name) => name >= `presentation_${oldest}`)).toEqual(after);
  });

  it("a busy table is left for later", async () => {
    await applyRetention(options);
    await rows(db, "select ensure_partitions(now() - interval '200 days', 0)");
    const reader = await db.connect();
    await reader.query("begin");
    await reader.query("select count(*) from presentation");
    try {
      await dropOldPartitions(options);
    } finally {
      await reader.query("rollback");
      await reader.end();
    }
    const count = async () =>
      (
        await rows(
          db,
          "select 1 from pg_class where relname = to_char((now() - interval '200 days') at time zone 'utc', '\"presentation_\"YYYYMMDD')",
        )
      ).length;
    expect(await count()).toBe(1);
    await dropOldPartitions(options);
    expect(await count()).toBe(0);
  });
});
