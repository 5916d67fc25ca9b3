import { describe, expect, it } from "vitest";
import { updateAccount } from "../../../src/account/accounts.store.js";
import { correctCall, recordSignals } from "../../../src/attribution/corrections/correct-call.js";
import { transactionIdOf } from "../../../src/http/invoca/transaction-id.js";
import { HELD_BACK_MS } from "../../../src/http/invoca/transactions.store.js";
import { freshDatabase, rows } from "../../support/database.js";
import { callTo, type InvocaWorld, makeInvocaWorld, settledFeed, VERSION } from "./support/invoca-world.js";

const { db } = await freshDatabase();
const signalsUrl = "/api/2018-02-01/transactions.json";
type Row = Record<string, unknown>;

const feedUrl = (world: InvocaWorld, query = "", format = "json") =>
  `${VERSION}/networks/transactions/${world.account.id}.${format}?${query}`;
const read = async (world: InvocaWorld, query = ""): Promise<Row[]> =>
  (await world.call("GET", feedUrl(world, query))).json();
const idsOf = (feed: Row[]) => feed.map((row) => row["transaction_id"]);

async function worldWithPool(): Promise<{ world: InvocaWorld; next(): Promise<string> }> {
  const world = await makeInvocaWorld(db, 4);
  const pool = await world.makePool({ max_pool_size: 2, lifetime_seconds: 1 });
  const url = `${VERSION}/ring_pools/${pool.id}/allocate_number.json?ring_pool_key=${pool.api_key}&utm_source=Google`;
  const number: string = (await world.call("GET", `${url}&ringmatch_visitor_id=vis_${"0".repeat(20)}`)).json()
    .promo_number;
  return { world, next: async () => `+1${number}` };
}

const actor = "test";
const said = (name: string) => ({ name, partnerUniqueId: "", value: true, revenue: null, occurredAt: null });

describe("the feed", () => {
  it("read page by page while others write misses nothing and shows nothing twice", async () => {
    const { world, next } = await worldWithPool();
    const number = await next();
    const written = new Set<string>();
    let isWriting = true;
    const writer = async (): Promise<void> => {
      for (let i = 0; i < 8; i++) {
        const id = await callTo(db, number);
        written.add(transactionIdOf(id));
        const asked = { id, accountId: world.account.id, actor };
        if (i % 3 === 0)
          written.add(transactionIdOf((await correctCall(world.deps, { ...asked, reason: "r", revenue: i })).id));
        if (i % 2 === 0) {
          const { results } = await recordSignals(world.deps, { ...asked, signals: [said("a"), said("b")] });
          for (const { signal } of results) written.add(transactionIdOf(signal.id));
        }
      }
    };
    // Its call is written first and seen last: readers must not be past it by then.
    const slow = (async () => {
      const id = await callTo(db, number, { isOpen: true });
      const client = await db.connect();
      await client.query("begin");
      await client.query("update call set status = 'completed', ended_at = now() where id = $1", [id]);
      await Promise.all([writer(), writer()]);
      await client.query("select pg_sleep(1.3)");
      await client.query("commit");
      await client.end();
      written.add(transactionIdOf(id));
      isWriting = false;
    })();
    const seen: unknown[] = [];
    await settledFeed(
      async () => {
        const after = seen.at(-1);
        const page = idsOf(
          await read(world, `limit=3&start_after_transaction_id=${typeof after === "string" ? after : ""}`),
        );
        seen.push(...page);
        return page;
      },
      () => !isWriting && seen.length >= written.size,
    );
    await slow;
    expect(new Set(seen).size).toBe(seen.length);
    expect(new Set(seen)).toEqual(written);
    expect(idsOf(await read(world))).toEqual(seen);
  });

  it("shows a call once it is over, and keeps its place whatever is learnt of it", async () => {
    const { world, next } = await worldWithPool();
    const number = await next();
    await callTo(db, number, { isOpen: true });
    const first = await callTo(db, number);
    const second = await callTo(db, number);
    const before = await settledFeed(
      () => read(world),
      (feed) => feed.length === 2,
    );
    expect(idsOf(before)).toEqual([first, second].map(transactionIdOf));
    const asked = { id: first, accountId: world.account.id, actor };
    const one = await correctCall(world.deps, { ...asked, reason: "r", revenue: 5 });
    await recordSignals(world.deps, { ...asked, signals: [said("quote")] });
    const two = await correctCall(world.deps, { ...asked, reason: "r", customData: { plan: "pro" } });
    const feed = await settledFeed(
      () => read(world),
      (found) => found.length === 5,
    );
    expect(feed.slice(0, 2)).toEqual(before.map((row) => ({ ...row, plan: null, quote: null })));
    expect(feed.map((row) => [row["transaction_type"], row["corrects_transaction_id"], row["revenue"]])).toEqual([
      ["Call", null, null],
      ["Call", null, null],
      ["Call", transactionIdOf(first), 5],
      ["Signal", null, null],
      ["Call", transactionIdOf(one.id), 5],
    ]);
    expect(feed[4]).toMatchObject({
      transaction_id: transactionIdOf(two.id),
      plan: "pro",
      corrected_at: expect.any(String),
    });
    expect(feed[3]).toMatchObject({ quote: 1, signal_name: "quote", complete_call_id: transactionIdOf(first) });
  });

  it("shows a correction of a call that still went on behind the call that it corrects", async () => {
    const { world, next } = await worldWithPool();
    const id = await callTo(db, await next(), { isOpen: true });
    const asked = { id, accountId: world.account.id, actor, reason: "r" };
    const correct = async (revenue: number) =>
      transactionIdOf((await correctCall(world.deps, { ...asked, revenue })).id);
    const [one, two] = [await correct(5), await correct(6)];
    await new Promise((resolve) => setTimeout(resolve, HELD_BACK_MS + 100));
    expect(await read(world)).toEqual([]);
    await rows(db, "update call set status = 'completed', ended_at = now() where id = $1", [id]);
    const three = await correct(7);
    const first = transactionIdOf(id);
    const expected = [
      [first, null, null],
      [one, first, 5],
      [two, one, 6],
      [three, two, 7],
    ];
    await settledFeed(
      () => read(world),
      (feed) => feed.length === 4,
    );
    const today = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    for (const days of ["", `from=${today(-1)}&to=${today(1)}&`]) {
      for (const limit of [1, 2, 3, 10]) {
        const shown: Row[] = [];
        for (let page: Row[] = []; page.length > 0 || shown.length === 0; shown.push(...page)) {
          const after = (shown.at(-1)?.["transaction_id"] as string | undefined) ?? "";
          page = await read(world, `${days}limit=${limit}&start_after_transaction_id=${after}`);
          expect(page.length).toBeLessThanOrEqual(limit);
          if (page.length === 0) break;
        }
        expect(
          shown.map((row) => [row["transaction_id"], row["corrects_transaction_id"], row["revenue"]]),
          `${days}${limit}`,
        ).toEqual(expected);
      }
    }
    for (const transaction of [first, one, two, three])
      expect(idsOf(await read(world, `transaction_id=${transaction}`))).toEqual([transaction]);
    expect(idsOf(await read(world, `call_record_id=${first}`))).toEqual([first, one, two, three]);
    expect(await read(world, "transaction_type=Signal")).toEqual([]);
  });

  it("of days: by call start, in the account's zone, only when both are given", async () => {
    const { world, next } = await worldWithPool();
    await updateAccount(db, world.account.id, { timeZone: "Pacific/Auckland" });
    const id = await callTo(db, await next());
    await rows(db, `update call set received_at = '2026-10-15T10:59:00Z' where id = '${id}'`);
    await settledFeed(
      () => read(world),
      (feed) => feed.length === 1,
    );
    const days = async (query: string) => (await read(world, query)).length;
    expect(await days("from=2026-10-15&to=2026-10-15")).toBe(1);
    expect(await days("from=2026-10-16&to=2026-10-20")).toBe(0);
    expect(await days("from=2026-10-01&to=2026-10-14")).toBe(0);
    expect(await days("from=2026-10-16")).toBe(1);
    expect((await read(world))[0]).toMatchObject({
      start_time_local: "2026-10-15 23:59:00 +13:00",
      start_time_utc: Date.parse("2026-10-15T10:59:00Z"),
      start_time_xml: "2026-10-15T23:59:00+13:00",
    });
    const page = `from=2026-10-15&to=2026-10-15&start_after_transaction_id=${transactionIdOf(id)}`;
    expect(await days(page)).toBe(0);
    const wrong = await world.call("GET", feedUrl(world, "from=2026-02-30&to=2026-03-01"));
    expect([wrong.statusCode, wrong.json().errors.class]).toEqual([403, "InvalidInput"]);
  });

  it("filtered, and with a cursor that nobody gave", async () => {
    const { world, next } = await worldWithPool();
    const id = await callTo(db, await next());
    await recordSignals(world.deps, { id, accountId: world.account.id, actor, signals: [said("quote")] });
    await settledFeed(
      () => read(world),
      (feed) => feed.length === 2,
    );
    const types = async (query: string) => (await read(world, query)).map((row) => row["transaction_type"]);
    expect(await types("transaction_type=Signal")).toEqual(["Signal"]);
    expect(await types("transaction_type[]=Call&transaction_type[]=Signal")).toEqual(["Call", "Signal"]);
    expect(await types("transaction_type=Sale")).toEqual([]);
    expect(await types(`transaction_id=${transactionIdOf(id)}`)).toEqual(["Call"]);
    expect(await types(`call_record_id=${transactionIdOf(id)}`)).toEqual(["Call", "Signal"]);
    expect(await types(`call_record_id=${transactionIdOf(id)}&transaction_id=S-${"0".repeat(26)}`)).toEqual([]);
    expect(await types("transaction_id=FE7F3A51-11111111")).toEqual([]);
    expect(await types("limit=1")).toEqual(["Call"]);
    expect(await types("limit=999999")).toHaveLength(2);
    for (const query of ["limit=0", "limit=x", "transaction_type=Fax", "column_separator=%22"]) {
      expect([query, (await world.call("GET", feedUrl(world, query))).statusCode]).toEqual([query, 403]);
    }
    const lost = await world.call("GET", feedUrl(world, "start_after_transaction_id=FE7F3A51-11111111"));
    expect([lost.statusCode, lost.json().errors.class]).toEqual([404, "RecordNotFound"]);
    const advertiser = await world.call("GET", feedUrl(world).replace("networks", "advertisers"));
    expect(advertiser.json()).toHaveLength(2);
  });

  it("callers are masked without calls:pii, and shown with a line in the log", async () => {
    const { world, next } = await worldWithPool();
    const number = await next();
    const id = await callTo(db, number);
    await callTo(db, number, { caller: null });
    await callTo(db, number);
    const columns = "include_columns=calling_phone_number,repeat_calling_phone_number";
    const shown = await settledFeed(
      () => read(world, columns),
      (feed) => feed.length === 3,
    );
    expect(shown).toEqual([
      { calling_phone_number: "415-555-0123", repeat_calling_phone_number: false },
      { calling_phone_number: "", repeat_calling_phone_number: null },
      { calling_phone_number: "415-555-0123", repeat_calling_phone_number: true },
    ]);
    expect(world.lines.filter(({ event }) => event === "pii.revealed").at(-1)?.fields["callIds"]).toContain(id);
    const reader = await world.keyOf(world.account.id, ["read"]);
    const masked = await world.request("GET", feedUrl(world, columns), { key: reader });
    expect(masked.json()[0]).toMatchObject({ calling_phone_number: "XXX-XXX-0123" });
    expect(masked.body).not.toContain("415");
  });

  it("as CSV runs no formula, unless asked for as it is", async () => {
    const { world, next } = await worldWithPool();
    const id = await callTo(db, await next());
    const customData = { plan: `=HYPERLINK("http://x")`, "a;b": "two\nlines" };
    await correctCall(world.deps, { id, accountId: world.account.id, actor, reason: "r", customData });
    const columns = "include_columns=plan,a;b,transaction_type&transaction_type=Call";
    const csv = async (more = "") =>
      (await world.call("GET", feedUrl(world, `${encodeURI(columns)}${more}`, "csv"))).body;
    await settledFeed(
      () => read(world),
      (feed) => feed.length === 2,
    );
    expect(await csv()).toBe(`plan,a;b,transaction_type\n,,Call\n"'=HYPERLINK(""http://x"")","two\nlines",Call\n`);
    expect(await csv("&ringmatch_raw=1&include_header=0")).toBe(
      `,,Call\n"=HYPERLINK(""http://x"")","two\nlines",Call\n`,
    );
    expect(await csv("&column_separator=%3B&row_separator=%0D%0A&force_quotes=1")).toBe(
      `"plan";"a;b";"transaction_type"\r\n"";"";"Call"\r\n"'=HYPERLINK(""http://x"")";"two\nlines";"Call"\r\n`,
    );
  });
});

describe("signals", () => {
  it("the same request again changes nothing; a changed one replaces, whatever the name's case", async () => {
    const { world, next } = await worldWithPool();
    const id = transactionIdOf(await callTo(db, await next()));
    const search = { call_record_id: id };
    const send = async (signal: object) =>
      (await world.call("PUT", signalsUrl, { search, signals: [signal] })).json().signals[0];
    const first = await send({ name: "Sale", value: "Yes", revenue: "99.5" });
    expect(first).toMatchObject({
      corrects_transaction_id: null,
      revenue: "99.5",
      value: "true",
      partner_unique_id: "",
    });
    expect(await send({ name: "Sale", value: 1, revenue: 99.5 })).toEqual(first);
    const second = await send({ name: "SALE", value: "no" });
    expect(second).toMatchObject({
      name: "Sale",
      value: "false",
      revenue: "",
      corrects_transaction_id: first.transaction_id,
    });
    const other = await send({ name: "Sale", partner_unique_id: "2" });
    expect(other.corrects_transaction_id).toBeNull();
    const bySignal = { search: { transaction_id: second.transaction_id }, signals: [{ name: "Quote" }] };
    expect((await world.call("POST", signalsUrl, bySignal)).json().call.transaction_id).toBe(id);
  });

  it("finds the call by its start, its caller and its length", async () => {
    const { world, next } = await worldWithPool();
    const number = await next();
    const [short, long] = [await callTo(db, number, { talkMs: 10_000 }), await callTo(db, number, { talkMs: 300_000 })];
    const stranger = await callTo(db, number, { caller: "+14155550999" });
    const start = Date.now();
    const find = async (more: object, at = start) => {
      const search = { call_start_time: String(at), network_id: world.account.id, ...more };
      return (await world.call("POST", signalsUrl, { search, signals: [{ name: "found" }] })).json();
    };
    const caller = { calling_phone_number: "415-555-0123" };
    expect((await find({ ...caller, duration_in_seconds: "16" })).call.transaction_id).toBe(transactionIdOf(short));
    expect((await find({ ...caller, duration_in_seconds: 290 })).call.transaction_id).toBe(transactionIdOf(long));
    expect((await find({ calling_phone_number: "+14155550999" })).call.transaction_id).toBe(transactionIdOf(stranger));
    expect((await find({ calling_phone_number: "+14155550000" })).errors.class).toBe("RecordNotFound");
    expect((await find(caller, start - 16 * 60_000)).errors.class).toBe("RecordNotFound");
    expect((await find({ calling_phone_number: "nobody" })).errors.class).toBe("InvalidInput");
    expect((await find({ network_id: "33" })).errors.class).toBe("UnauthorizedAdvertiser");
    const platform = { search: { call_start_time: String(start) }, signals: [{ name: "x" }] };
    expect((await world.request("POST", signalsUrl, { body: platform })).json().errors.class).toBe("InvalidInput");
  });

  it("custom data that it sets has the source Api, what the page told keeps its own, whomever the call is credited to later", async () => {
    const { world } = await worldWithPool();
    const pool = await world.makePool({ max_pool_size: 1, lifetime_seconds: 1, allow_overflow: false });
    const url = `${VERSION}/ring_pools/${pool.id}/allocate_number.json?ring_pool_key=${pool.api_key}&utm_source=Google`;
    const [first, second] = ["1", "2"].map((digit) => `vis_${digit.repeat(20)}`) as [string, string];
    const see = async (visitor: string, site: string): Promise<string> =>
      (await world.call("GET", `${url}&site=${site}&ringmatch_visitor_id=${visitor}`)).json().promo_number;
    const number = `+1${await see(first, "main")}`;
    // Once the first one's lock of a second is over.
    await expect.poll(async () => `+1${await see(second, "shop")}`, { timeout: 10_000 }).toBe(number);
    const id = await callTo(db, number);
    const set = (custom_data: { name: string; value: string }[]) =>
      world.call("POST", signalsUrl, {
        search: { transaction_id: transactionIdOf(id) },
        signals: [{ name: "sale" }],
        custom_data,
      });
    const sources = async (count: number) => {
      const feed = await settledFeed(
        () => read(world, "include_columns=custom_data"),
        (found) => found.length === count,
      );
      const data = feed.map((row) => row["custom_data"] as { name: string; source: string; value: unknown }[]);
      return data.map((fields) => Object.fromEntries(fields.map(({ name, source }) => [name, source])));
    };
    const page = { site: "DynamicAttribution", utm_source: "DynamicAttribution" };
    await set([
      { name: "channel", value: "Paid Search" },
      { name: "site", value: "shop" },
    ]);
    const corrected = { ...page, channel: "Api" };
    expect(await sources(3)).toEqual([page, corrected, { ...corrected, sale: "Api" }]);
    await set([{ name: "site", value: "else" }]);
    expect((await sources(4)).at(-1)).toEqual({ ...corrected, site: "Api" });
    // Another visitor's own data comes with them.
    const asked = { id, accountId: world.account.id, actor };
    await correctCall(world.deps, { ...asked, reason: "r", match: { kind: "visitor", visitorId: first } });
    expect((await sources(5)).at(-1)).toEqual(page);
    await set([{ name: "plan", value: "pro" }]);
    expect((await sources(6)).at(-1)).toEqual({ ...page, plan: "Api" });
  });

  it("on a live call: signals are taken, custom data is not", async () => {
    const { world, next } = await worldWithPool();
    const search = { transaction_id: transactionIdOf(await callTo(db, await next(), { isOpen: true })) };
    const live = await world.call("POST", signalsUrl, { search, signals: [{ name: "live" }], call_in_progress: true });
    expect([live.statusCode, live.body]).toEqual([201, ""]);
    const custom = { search, signals: [{ name: "never" }], custom_data: [{ name: "channel", value: "x" }] };
    const refused = await world.call("POST", signalsUrl, custom);
    expect([refused.statusCode, refused.json().errors.class]).toEqual([403, "RecordInvalid"]);
    expect(await rows(db, `select name from call_signal where account_id = '${world.account.id}'`)).toEqual([
      { name: "live" },
    ]);
  });
});
