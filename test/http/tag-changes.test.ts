import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { tagFileOf } from "../../src/account/tag-file.js";
import { publishTagFile } from "../../src/account/tag-files.store.js";
import { Directory } from "../../src/pool/directory.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase, rows } from "../support/database.js";
import { type ServiceHere, startServiceHere } from "../support/service-here.js";
import { until } from "../support/until.js";
import { addInventory, makeAccount, makeDestination, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db, url } = await freshDatabase();
/** The process that changes things. */
const { request, lines } = makeHttpWorld(db);

async function configOf(tagKey: string) {
  return (await request("GET", `/tag/config?key=${tagKey}`, { key: null })).json();
}

describe("another process hears of every change", () => {
  let service: ServiceHere;
  beforeAll(async () => {
    service = await startServiceHere({ databaseUrl: url, publicUrl: "https://calls.example.com" });
  });
  afterAll(() => service.stop());

  it("of settings, destinations, static numbers and revisions alike", async () => {
    const account = await makeAccount(db);
    const { id: account_id, tagKey } = account;
    const read = async () => {
      const answer = await fetch(`${service.httpUrl}/tag/config?key=${tagKey}`);
      return (await answer.json()) as Record<string, unknown>;
    };
    const seen = (what: string, fits: (config: Record<string, unknown>) => boolean) =>
      until(what, async () => (fits(await read()) ? true : null));
    expect(await read()).toMatchObject({ numbers: [], consent: "assumed" });

    await request("PATCH", `/v1/accounts/${account_id}`, { body: { consent: "required", auto_create_pools: true } });
    await seen("consent", ({ consent, discover }) => consent === "required" && discover === true);
    const number = "+18005550142";
    await request("POST", "/v1/destinations", { body: { account_id, number } });
    await seen("the destination", ({ numbers }) => JSON.stringify(numbers) === `["${number}"]`);

    await addInventory(db, tollFreeNumbers(1));
    const source = { name: "Radio", utm_source: "radio", utm_campaign: "fall", gclid: "x" };
    const body = { account_id, number_type: "toll_free", destination_number: number, source };
    const made = await request("POST", "/v1/static_numbers", { body });
    expect(made.statusCode).toBe(201);
    const { id, number: promo } = made.json();
    await seen("the static number", ({ sources }) => (sources as unknown[]).length === 1);
    const touch = { utm_source: "radio", utm_campaign: "fall" };
    expect((await read())["sources"]).toEqual([{ destination: number, number: promo, touch }]);

    const changed = { source: { name: "Radio", utm_source: "tv" } };
    await request("PATCH", `/v1/static_numbers/${id}`, { body: changed });
    await seen("its source", ({ sources }) => JSON.stringify(sources).includes('{"utm_source":"tv"}'));
    // Out of service without being given up: only the number itself moves.
    await request("POST", `/v1/numbers/${encodeURIComponent(promo)}/quarantine`, { body: { reason: "spam" } });
    await seen("the quarantine", ({ sources }) => (sources as unknown[]).length === 0);

    const query = `?account_id=${account_id}`;
    await request("PUT", `/v1/tag/draft${query}`, { body: { numbers_not_to_replace: [number] } });
    await request("POST", `/v1/tag/live${query}`);
    await seen("the revision", ({ revision, numbers }) => revision === 2 && (numbers as unknown[]).length === 0);
    await request("POST", `/v1/tag/pause${query}`);
    await seen("the pause", ({ paused }) => paused === true);
  });

  it("a file published by a former version is served, byte by byte, by the next one", async () => {
    const former = tagFileOf({ version: "0.0.0-former", text: "function(c){/* ü */}" });
    await publishTagFile(db, former);
    await publishTagFile(db, { ...former, content: "something else" });
    const list = (await (await fetch(`${service.httpUrl}/tag/files`)).json()) as { data: { url: string }[] };
    const found = list.data.find(({ url: address }) => address.includes(former.name));
    expect(found).toMatchObject({ url: `https://calls.example.com/tag/${former.name}.js`, version: "0.0.0-former" });
    for (let i = 0; i < 2; i++) {
      const answer = await fetch(`${service.httpUrl}/tag/${former.name}.js`);
      expect(await answer.text()).toBe("//# allFunctionsCalledOnLoad\n!function(c){/* ü */}();\n");
      expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    }
    expect(list.data).toHaveLength(2);
  });
});

describe("what pages look for", () => {
  it("print and radio, numbers of ignored or excluded destinations are no sources of a page", async () => {
    const account = await makeAccount(db);
    const kept = await makeDestination(db, account, "+18005550151");
    const ignored = await makeDestination(db, account, "+18005550152");
    const excluded = await makeDestination(db, account, "+18005550153");
    await addInventory(db, tollFreeNumbers(4));
    const make = (destination_number: string, source: object) =>
      request("POST", "/v1/static_numbers", {
        body: { account_id: account.id, number_type: "toll_free", destination_number, source },
      });
    await make(kept.number, { name: "Print" });
    await make(ignored.number, { name: "a", utm_source: "a" });
    await make(excluded.number, { name: "b", utm_source: "b" });
    const given = (await make(kept.number, { name: "c", utm_source: "c" })).json();
    await request("PATCH", `/v1/destinations/${ignored.id}`, { body: { status: "ignored" } });
    const query = `?account_id=${account.id}`;
    await request("PUT", `/v1/tag/draft${query}`, { body: { numbers_not_to_replace: [excluded.number] } });
    await request("POST", `/v1/tag/live${query}`);
    expect(await configOf(account.tagKey)).toMatchObject({
      numbers: [kept.number],
      sources: [{ destination: kept.number, number: given.number, touch: { utm_source: "c" } }],
    });
  });

  it("more destinations than a page can carry: the oldest, with a warning", async () => {
    const account = await makeAccount(db);
    await rows(
      db,
      `insert into destination (id, account_id, number, number_type, npa, status)
       select 'dst_' || $1 || lpad(i::text, 6, '0'), $1, '+1800' || (2000000 + i), 'toll_free', '800', 'tracked' from generate_series(5001, 0, -1) i`,
      [account.id],
    );
    const { numbers } = await configOf(account.tagKey);
    expect(numbers).toHaveLength(5_000);
    expect([numbers[0], numbers[4_999]]).toEqual(["+18002000000", "+18002004999"]);
    expect(lines).toContainEqual({
      level: "warn",
      event: "tag.numbers_cut",
      fields: { accountId: account.id, kept: 5_000, cut: 2 },
    });
  });

  it("a setting with markup or line ends of its own stays data in the script", async () => {
    const account = await makeAccount(db);
    const query = `?account_id=${account.id}`;
    const name = "</script><script>alert(1)</script>\u2028\u2029";
    await request("PUT", `/v1/tag/draft${query}`, { body: { custom_data: [{ name, from: "cookie", key: "<!--" }] } });
    await request("POST", `/v1/tag/live${query}`);
    const script = (await request("GET", `/tag.js?key=${account.tagKey}`, { key: null })).body;
    const json = script.slice(script.lastIndexOf("}(") + 2, -3);
    expect(json).not.toMatch(/[<\u2028\u2029]/);
    expect(JSON.parse(json).custom_data).toEqual([{ name, from: "cookie", key: "<!--" }]);
  });
});

it("what one account changes costs the others nothing: their tags stay, and nothing of them is read again", async () => {
  let queries = 0;
  const query: typeof db.query = (...asked) => {
    queries++;
    return db.query(...asked);
  };
  const counted = makeHttpWorld({ ...db, query });
  const get = (tagKey: string) => counted.request("GET", `/tag.js?key=${tagKey}`, { key: null });
  const [one, other] = [await makeAccount(db), await makeAccount(db)];
  for (const { tagKey } of [one, other]) await get(tagKey);
  const body = { account_id: one.id, number: "+18005550143" };
  expect((await counted.request("POST", "/v1/destinations", { body })).statusCode).toBe(201);
  queries = 0;
  await get(other.tagKey);
  expect(queries).toBe(0);
  expect((await get(one.tagKey)).body).toContain(body.number);
  expect(queries).toBeGreaterThan(0);
});

describe("while the database is away", () => {
  it("or does not answer, pages wait no longer than they would notice", async () => {
    const proxy = await CuttableProxy.start(url);
    const slow = openDatabase({ url: proxy.url, log: silentLog });
    const directory = new Directory(slow);
    const world = makeHttpWorld(slow, { directory });
    const { id, tagKey } = await makeAccount(db);
    const path = `/tag.js?key=${tagKey}`;
    try {
      const before = await world.request("GET", path, { key: null });
      proxy.hang();
      directory.changed(null);
      const since = performance.now();
      const during = await world.request("GET", path, { key: null });
      expect([during.statusCode, during.body]).toEqual([200, before.body]);
      expect(performance.now() - since).toBeLessThan(1_500);
      await request("POST", `/v1/tag/pause?account_id=${id}`);
      proxy.restore();
      directory.changed(null);
      await until("the change is seen", async () =>
        (await world.request("GET", path, { key: null })).body.includes('"paused":true'),
      );
    } finally {
      await proxy.stop();
      await slow.close();
    }
  });

  it("pages get what they had last; who was never asked for gets a comment, with 503", async () => {
    const proxy = await CuttableProxy.start(url);
    const away = openDatabase({ url: proxy.url, log: silentLog });
    const directory = new Directory(away);
    const world = makeHttpWorld(away, { directory });
    const get = (path: string) => world.request("GET", path, { key: null });
    try {
      const [known, unknown] = [await makeAccount(db), await makeAccount(db)];
      const before = await get(`/tag.js?key=${known.tagKey}`);
      expect(before.statusCode).toBe(200);
      proxy.cut();
      // As after a notification: what is in memory may be old.
      directory.changed(null);
      const after = await get(`/tag.js?key=${known.tagKey}`);
      expect([after.statusCode, after.body, after.headers.etag]).toEqual([200, before.body, before.headers.etag]);
      const missing = await get(`/tag.js?key=${unknown.tagKey}`);
      expect([missing.statusCode, missing.headers["cache-control"]]).toEqual([503, "no-store"]);
      expect(missing.headers["retry-after"]).toBeDefined();
      expect(missing.body).toMatch(/^\/\* Ringmatch: .* \*\/\n$/);
      expect((await get(`/tag/config?key=${unknown.tagKey}`)).json().code).toBe("database_unavailable");
      expect((await get(`/tag/${world.deps.tagFile.name}.js`)).statusCode).toBe(200);
      expect((await get("/tag/0.0.0-0123456789ab.js")).statusCode).toBe(503);
      const metrics = await world.deps.metrics.metrics();
      expect(metrics).toContain('ringmatch_tag_deliveries_total{what="tag",status="200"} 2');
      expect(metrics).toContain('ringmatch_tag_deliveries_total{what="tag",status="503"} 1');
    } finally {
      await proxy.stop();
      await away.close();
    }
  });
});
