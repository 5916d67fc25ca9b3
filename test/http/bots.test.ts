import { Registry } from "prom-client";
import { afterAll, describe, expect, it } from "vitest";
import { silentLog } from "../../src/kernel/log.js";
import { systemClock } from "../../src/kernel/clock.js";
import { BotTally, ENTRIES_MAX, numbersSaved, readBotFigures } from "../../src/pool/bot-tally.js";
import { freshDatabase, rows } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { makeAccount, makeWorld } from "../support/world.js";
import { openDatabase } from "../../src/db/database.js";
import { BROWSER, makeHttpWorld } from "./support/http-world.js";

const { db, url } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db, { metrics: new Registry() });
const OUTSIDE = "198.51.100.70";
const CRAWLER = { "user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)" };
const HOUR = 3_600_000;

async function crawl(
  tagKey: string,
  numbers: readonly string[],
  visible = true,
  headers: Record<string, string> = CRAWLER,
) {
  const body = { tag_key: tagKey, numbers, page: { url: "https://shop.example/", visible } };
  const response = await request("POST", "/v1/presentations", { key: null, remoteAddress: OUTSIDE, headers, body });
  expect(response.statusCode).toBe(200);
}

describe("GET /v1/reports/bots", () => {
  it("counts requests and withheld presentations by account and reason, and estimates the numbers saved", async () => {
    const { account } = await makeWorld(db, 2, { sessionLifetimeS: 1800 });
    for (let i = 0; i < 3; i++) await crawl(account.tagKey, ["+18005550100", "+18005550199"]);
    await crawl(account.tagKey, ["+18005550100"], false, { "user-agent": BROWSER });
    await crawl(account.tagKey, ["+18005550199"], false, { "user-agent": BROWSER });
    const answer = await request("GET", `/v1/reports/bots?account_id=${account.id}`);
    const { data, from, to } = answer.json();
    expect(data).toMatchObject([
      { account_id: account.id, reason: "invisible", requests: 2, presentations_withheld: 1 },
      { account_id: account.id, reason: "user_agent", requests: 3, presentations_withheld: 3 },
    ]);
    // Three locks of half an hour: in that hour they would have held 1.5 numbers on average.
    expect(data[1].numbers_saved_busiest_hour).toBe(1.5);
    const hours = (Math.min(Date.parse(to), Date.now()) - Date.parse(from)) / HOUR;
    expect(data[1].numbers_saved).toBeCloseTo(1.5 / hours, 3);
    expect((Date.parse(to) - Date.parse(from)) / HOUR).toBe(24);
  });

  it("covers the hours asked for, and an account's key sees its own account only", async () => {
    const { account } = await makeWorld(db, 1);
    const other = await makeAccount(db);
    await crawl(account.tagKey, ["+18005550100"]);
    const key = await keyOf(account.id, ["read"]);
    const read = async (query: string, as: string | undefined = key) =>
      (await request("GET", `/v1/reports/bots${query}`, { key: as })).json().data;
    expect(await read("")).toMatchObject([{ account_id: account.id, requests: 1 }]);
    const before = new Date(Date.now() - 3 * HOUR).toISOString();
    expect(await read(`?from=2026-01-01&to=${before}`)).toEqual([]);
    const foreign = await request("GET", `/v1/reports/bots?account_id=${other.id}`, { key });
    expect(foreign.statusCode).toBe(404);
  });

  it("comes in pages without loss or repetition", async () => {
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: { data: { account_id: string; reason: string }[]; next_cursor: string | null } = (
        await request("GET", `/v1/reports/bots?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`)
      ).json();
      for (const row of page.data) seen.push(`${row.account_id} ${row.reason}`);
      cursor = page.next_cursor;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen.length).toBeGreaterThanOrEqual(3);
  });

  it("trusted addresses and visitors are not counted", async () => {
    const { account } = await makeWorld(db, 1);
    const body = {
      tag_key: account.tagKey,
      numbers: ["+18005550100"],
      page: { url: "https://shop.example/", visible: false },
    };
    await request("POST", "/v1/presentations", { key: null, headers: CRAWLER, body });
    const visit = { ...body, page: { url: "https://shop.example/" } };
    await request("POST", "/v1/presentations", { key: null, remoteAddress: "198.51.100.71", body: visit });
    expect((await request("GET", `/v1/reports/bots?account_id=${account.id}`)).json().data).toEqual([]);
  });
});

describe("the tally", () => {
  const day = { from: Date.now() - 24 * HOUR, to: Date.now() + HOUR, after: "", limit: 10 };

  it("adds up what several processes counted in the same hour", async () => {
    const account = await makeAccount(db);
    const tallies = [1, 2, 3].map(() => new BotTally({ db, clock: systemClock, log: silentLog }));
    for (const tally of tallies) {
      for (let i = 0; i < 10; i++)
        tally.add({ accountId: account.id, reason: "user_agent", withheld: [{ sessionLifetimeS: 60 }] });
    }
    await Promise.all(tallies.map((tally) => tally.stop()));
    expect(await readBotFigures(db, { ...day, accountId: account.id })).toMatchObject([
      { requests: 30, withheld: 30, withheldLockS: 1_800 },
    ]);
  });

  it("keeps its counts while the database is away, and writes them once it is back", async () => {
    const account = await makeAccount(db);
    const link = await startLink(url);
    const away = openDatabase({ url: link.url, log: silentLog });
    afterAll(async () => {
      await away.close();
      await link.close();
    });
    const tally = new BotTally({ db: away, clock: systemClock, log: silentLog });
    link.cut();
    tally.add({ accountId: account.id, reason: "invisible", withheld: [] });
    await tally.flush();
    tally.add({ accountId: account.id, reason: "invisible", withheld: [] });
    link.mend();
    await tally.flush();
    expect(await readBotFigures(db, { ...day, accountId: account.id })).toMatchObject([{ requests: 2, withheld: 0 }]);
    await tally.flush();
    expect(await readBotFigures(db, { ...day, accountId: account.id })).toMatchObject([{ requests: 2 }]);
    await tally.stop();
  });

  it("holds no more than its limit", async () => {
    const tally = new BotTally({ db, clock: systemClock, log: silentLog });
    const [{ count: before } = { count: 0 }] = await rows<{ count: number }>(db, "select count(*) from bot_hour");
    const account = await makeAccount(db);
    let hour = Date.parse("2026-01-01T00:00:00Z");
    const long = new BotTally({ db, clock: { now: () => (hour += HOUR) }, log: silentLog });
    for (let i = 0; i < ENTRIES_MAX + 10; i++) long.add({ accountId: account.id, reason: "invisible", withheld: [] });
    await long.stop();
    await tally.stop();
    const [{ count: after } = { count: 0 }] = await rows<{ count: number }>(db, "select count(*) from bot_hour");
    expect(after - before).toBe(ENTRIES_MAX);
  });
});

describe("numbersSaved", () => {
  it("is arrivals times the time each is held: one crawler page a minute against locks of half an hour, 30 numbers", () => {
    expect(numbersSaved(60 * 24 * 1800, 86_400)).toBe(30);
    expect(numbersSaved(0, 0)).toBe(0);
  });
});
