import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../../support/database.js";
import { deletePool } from "../../../src/pool/pool-changes.js";
import { callTo, makeInvocaWorld, VERSION } from "./support/invoca-world.js";

const { db } = await freshDatabase();
const world = await makeInvocaWorld(db, 120);
const { call, makePool, account, deps } = world;

type MadePool = Awaited<ReturnType<typeof makePool>>;
const url = (pool: MadePool, query = "") =>
  `${VERSION}/ring_pools/${pool.id}/allocate_number.json?ring_pool_key=${pool.api_key}&${query}`;
const allocate = async (pool: MadePool, query = "") => (await call("GET", url(pool, query))).json();
const suffix = (pool: MadePool, query: string) =>
  `${pool.id}/allocate_number.json?ring_pool_key=${pool.api_key}&${query}`;
const bulk = (requests: unknown) => call("POST", "/api/2013-07-01/bulk.json", { requests });
const logOf = (pool: MadePool) =>
  rows(
    db,
    `select visitor_id, kind, touch, custom_data, context from presentation where pool_id = '${pool.id}' order by presented_at, seq`,
  );
let serial = 0;
const apart = () => ({ destination_phone_number: `888-222-${String(++serial).padStart(4, "0")}` });

describe("allocate_number", () => {
  it("is a new visitor each time, until the pool has only its overflow number", async () => {
    const pool = await makePool({ ...apart(), max_pool_size: 3 });
    const given = [await allocate(pool), await allocate(pool), await allocate(pool), await allocate(pool)];
    expect(new Set(given.map((one) => one.promo_number)).size).toBe(3);
    expect(given[3]).toEqual(given[2]);
    expect((await logOf(pool)).map((row) => row["kind"])).toEqual(["presented", "presented"]);
  });

  it("is the same number for a visitor whom the client names", async () => {
    const pool = await makePool(apart());
    const visitor = `ringmatch_visitor_id=vis_${"a1".repeat(12)}${serial}`;
    const first = await allocate(pool, visitor);
    expect(await allocate(pool, visitor)).toEqual(first);
    expect((await allocate(pool, "ringmatch_visitor_id=nonsense")).promo_number).not.toBe(first.promo_number);
    expect((await logOf(pool)).map((row) => row["kind"])).toEqual(["presented", "renewal", "presented"]);
  });

  it("without overflow an exhausted pool shows the business's own number", async () => {
    const pool = await makePool({ ...apart(), max_pool_size: 1, allow_overflow: "false" });
    await allocate(pool);
    expect((await allocate(pool)).promo_number).toBe(`888222${String(serial).padStart(4, "0")}`);
    const [row] = (await bulk([{ api_suffix: suffix(pool, "a=1") }])).json().responses;
    expect(row).toMatchObject({ promo_number: `888222${String(serial).padStart(4, "0")}`, overflow: true });
  });

  it("keeps what it is told of the visitor, and calls are credited to it", async () => {
    const pool = await makePool(apart());
    const landing = encodeURIComponent("https://shop.example/?utm_source=bing&gclid=abc#frag");
    const query = `param1=autos&search_keywords=used+cars&utm_source=google&empty=&landing_page=${landing}&referrer=https%3A%2F%2Fwww.google.com%2F&odd=%E0%A4%A&nul=a%00b`;
    const { promo_number: number } = await allocate(pool, query);
    const [logged] = await logOf(pool);
    expect(logged).toMatchObject({
      touch: { utm_source: "google", gclid: "abc" },
      custom_data: { param1: "autos", search_keywords: "used cars", nul: "ab" },
      context: { url: "https://shop.example/?utm_source=bing&gclid=abc", referrer: "https://www.google.com/" },
    });
    const id = await callTo(db, `+1${number}`);
    const record = (await world.request("GET", `/v1/calls/${id}`)).json();
    expect(record.attribution).toMatchObject({ outcome: "matched", touch: { utm_source: "google" } });
  });

  it("at most 25 fields, and no names that are too long", async () => {
    const pool = await makePool(apart());
    const many = Array.from({ length: 26 }, (_, index) => `p${index}=1`).join("&");
    const refused = await call("GET", url(pool, many));
    expect([refused.statusCode, refused.body]).toEqual([
      403,
      "InvalidInput: at most 25 parameters are kept for a visitor",
    ]);
    expect((await call("GET", url(pool, `${"x".repeat(65)}=1`))).statusCode).toBe(403);
    expect(await logOf(pool)).toEqual([]);
  });

  it("the key of a pool opens nothing else, and nothing once the pool is deleted", async () => {
    const [pool, other] = [await makePool(apart()), await makePool(apart())];
    const foreign = { ...pool, api_key: other.api_key };
    expect((await call("GET", url(foreign))).body).toBe(
      `InvalidKey: API Key '${other.api_key}' is not valid for resource '${pool.id}'`,
    );
    expect((await call("GET", url({ ...pool, id: "pool_none" }))).statusCode).toBe(403);
    expect((await call("GET", url({ ...pool, api_key: "" }))).statusCode).toBe(403);
    await deletePool(deps, { poolId: pool.id, actor: "test" });
    expect((await call("GET", url(pool))).statusCode).toBe(403);
  });

  it("a new size, name and owner's account change no key; a pool of /v1 has one too", async () => {
    const pool = await makePool(apart());
    const again = await call("PUT", `${world.campaign}/ring_pools/${String(pool["id_from_network"])}.json`, {
      name: "Other",
      max_pool_size: 5,
    });
    expect(again.json().api_key).toBe(pool.api_key);
    const body = {
      account_id: account.id,
      name: "v1",
      kind: "campaign",
      campaign: "c1",
      number_type: "toll_free",
      destination_number: "+18882220001",
    };
    const { id } = (await world.request("POST", "/v1/pools", { body })).json();
    const shown = (await call("GET", `${world.campaign}/ring_pools/${id}.json`)).json();
    expect(shown).toMatchObject({ id, id_from_network: id, api_key: expect.stringMatching(/^[0-9A-F]{32}$/) });
    expect((await call("GET", url(shown))).statusCode).toBe(200);
  });

  it("no key and no query reach the log", async () => {
    const pool = await makePool(apart());
    await call("GET", url(pool, "secret_param=hush"));
    await call("GET", `${VERSION}/networks/transactions/${account.id}.json?oauth_token=${world.key}`, undefined, {
      authorization: "",
    });
    const log = JSON.stringify(world.lines);
    expect(log).toContain("allocate_number.json");
    for (const secret of [pool.api_key, "hush", world.key]) expect(log).not.toContain(secret);
  });
});

describe("bulk", () => {
  it("takes the spellings that clients have", async () => {
    const pool = await makePool({ ...apart(), max_pool_size: 10 });
    const forms = [
      suffix(pool, "m1=autos"),
      `/${suffix(pool, "m1=autos")}`,
      `ring_pools/${suffix(pool, "m1=a%2")}`,
      `  ${suffix(pool, "m1=%E9&m1=second&%6D2=x%26y&constructor=1")}`,
    ];
    const answer = await call("POST", "/api/2013-07-01/bulk.json", {
      request: forms.map((api_suffix) => ({ api_suffix })),
    });
    for (const row of answer.json().responses)
      expect(row).toMatchObject({ promo_number: expect.stringMatching(/^\d{10}$/) });
    const kept: object[] = [{ m1: "autos" }, { m1: "a%2" }, { m1: "\ufffd", m2: "x&y", constructor: "1" }];
    expect((await logOf(pool)).map((row) => row["custom_data"])).toEqual(expect.arrayContaining(kept));
  });

  it("is limited, and takes no body that is none", async () => {
    const row = { api_suffix: "x" };
    expect((await bulk(Array.from({ length: 500 }, () => row))).json().responses).toHaveLength(500);
    expect((await bulk(Array.from({ length: 501 }, () => row))).json()).toEqual({
      errors: { class: "InvalidInput", invalid_data: "requests are limited to 500" },
    });
    for (const wrong of ["text", 5, null, {}]) expect((await bulk(wrong)).statusCode).toBe(403);
    expect((await call("POST", "/api/2013-07-01/bulk.json", "{")).statusCode).toBe(400);
  });

  it("gives an id back as it came, and takes none that is nested", async () => {
    const row = { api_suffix: "x" };
    // Deep enough to be read and not written.
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const answer = await call(
      "POST",
      "/api/2013-07-01/bulk.json",
      `{"requests": [{"api_suffix": "x", "request_id": ${deep}}, {"api_suffix": "x", "request_id": 7}]}`,
    );
    expect(answer.statusCode).toBe(200);
    expect(answer.json().responses).toEqual([
      { error_class: "InvalidInput", message: "request_id must be text or a number" },
      { request_id: 7, error_class: "InvalidInput", message: expect.stringContaining("api_suffix") },
    ]);
    expect((await bulk([{ ...row, request_id: null }])).json().responses).toMatchObject([{ request_id: null }]);
  });

  it("any mixture is answered row by row in its order", async () => {
    const pool = await makePool({ ...apart(), max_pool_size: 2 });
    const right = fc.constant({ suffix: suffix(pool, "m1=x"), keys: ["promo_number"] });
    const wrong = fc.constant({
      suffix: `${pool.id}/allocate_number.json?ring_pool_key=A3&m1=x`,
      keys: ["error_class"],
    });
    const mixture = fc.array(fc.tuple(fc.oneof(right, wrong), fc.option(fc.string())), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(mixture, async (asked) => {
        const answer = await bulk(
          asked.map(([{ suffix: api_suffix }, id]) => (id === null ? { api_suffix } : { api_suffix, request_id: id })),
        );
        if (answer.statusCode !== 200) throw new Error(answer.body);
        const responses: Record<string, unknown>[] = answer.json().responses;
        expect(responses.map((row) => row["request_id"])).toEqual(asked.map(([, id]) => id ?? undefined));
        for (const [index, [{ keys }]] of asked.entries())
          expect(Object.keys(responses[index] ?? {})).toEqual(expect.arrayContaining([...keys]));
        for (const row of responses) expect(row["overflow"]).not.toBe(false);
      }),
      { numRuns: 15 },
    );
  });
});
