import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { freshDatabase, rows } from "../support/database.js";
import { addInventory, ids, makeAccount, makeDestination, makeWorld, tollFreeNumbers } from "../support/world.js";
import { BROWSER, makeHttpWorld, problemIn, type RequestOptions } from "./support/http-world.js";

const { db, url } = await freshDatabase();
const { request, keyOf, deps, lines } = makeHttpWorld(db);
const DESTINATION = "+18005550100";
const PAGE = { url: "https://shop.example/" };

function present(body: Record<string, unknown>, options: RequestOptions = {}) {
  return request("POST", "/v1/presentations", {
    key: null,
    body: { numbers: [DESTINATION], page: PAGE, ...body },
    ...options,
  });
}

async function metric(name: string): Promise<string> {
  const text = await deps.metrics.metrics();
  return text
    .split("\n")
    .filter((line) => line.startsWith(name))
    .join("\n");
}

describe("POST /v1/presentations", () => {
  it("presents a number, and gives it again to the same visitor", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 600 });
    const tag_key = world.account.tagKey;
    const first = await present({ tag_key });
    expect(first.statusCode).toBe(200);
    const { visitor_id, presentations } = first.json();
    expect(visitor_id).toMatch(/^vis_/);
    expect(presentations).toEqual([
      {
        presentation_id: expect.stringMatching(/^prs_/),
        destination_number: DESTINATION,
        promo_number: world.numbers[0],
        outcome: "presented",
        locked_until: expect.any(String),
        renew_after_s: 200,
      },
    ]);
    const again = (await present({ tag_key, visitor_id })).json();
    expect(again.visitor_id).toBe(visitor_id);
    expect(again.presentations[0]).toMatchObject({
      presentation_id: presentations[0].presentation_id,
      promo_number: world.numbers[0],
      outcome: "renewed",
    });
  });

  it("answers every asked number in order, whatever its notation", async () => {
    const { account } = await makeWorld(db, 1);
    const numbers = ["1-800-555-0100", "+14155550144", "call us", DESTINATION];
    const { presentations } = (await present({ tag_key: account.tagKey, numbers })).json();
    expect(presentations.map((p: { outcome: string }) => p.outcome)).toEqual([
      "presented",
      "original",
      "original",
      "presented",
    ]);
    expect(presentations[2]).toMatchObject({ destination_number: "call us", promo_number: null });
    expect(presentations[3]).toEqual(presentations[0]);
    const key = await keyOf(account.id, ["read"]);
    const discovered = await request("GET", "/v1/destinations?status=discovered", { key });
    expect(discovered.json().data.map((d: { number: string }) => d.number)).toEqual(["+14155550144"]);
  });

  it("takes text/plain as well, and is open to every origin without credentials", async () => {
    const { account } = await makeWorld(db, 1);
    const headers = { "content-type": "text/plain;charset=UTF-8", origin: "https://shop.example" };
    const response = await present({ tag_key: account.tagKey }, { headers });
    expect(response.json().presentations[0].outcome).toBe("presented");
    expect(response.headers["access-control-allow-origin"]).toBe("*");
    expect(response.headers["access-control-allow-credentials"]).toBeUndefined();
    for (const path of ["/v1/presentations", "/v1/presentations/renew"]) {
      const preflight = await request("OPTIONS", path, { key: null, headers: { origin: "https://shop.example" } });
      expect(preflight.statusCode).toBe(204);
      expect(preflight.headers).toMatchObject({
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type",
      });
    }
  });

  it("an unknown tag key is 404, readable from any origin", async () => {
    const response = await present({ tag_key: "tag_none" });
    expect(problemIn(response).code).toBe("not_found");
    expect(response.headers["access-control-allow-origin"]).toBe("*");
  });

  it("unknown fields are ignored and counted", async () => {
    const { account } = await makeWorld(db, 1);
    const body = { tag_key: account.tagKey, beta: 1, gamma: { a: 1 }, page: { ...PAGE, title: "Shop" } };
    const before = await metric("ringmatch_presentation_fields_ignored_total");
    expect((await present(body)).json().presentations[0].outcome).toBe("presented");
    expect(await metric("ringmatch_presentation_fields_ignored_total")).not.toBe(before);
    const after = await metric("ringmatch_presentation_fields_ignored_total");
    expect(after).toContain('{place="body"} 2');
    expect(after).toContain('{place="page"} 1');
  });

  it("a key that leads to a prototype is one of them, wherever it stands, and changes nothing", async () => {
    const { account } = await makeWorld(db, 1);
    const text = JSON.stringify({
      tag_key: account.tagKey,
      numbers: ["+18005550100"],
      page: PAGE,
      custom_data: { a: "b" },
    })
      .replace('{"tag_key"', '{"__proto__":{"polluted":1},"tag_key"')
      .replace('"page":{', '"page":{"constructor":{"prototype":{"polluted":1}},');
    const counted = async (place: string): Promise<number> => {
      const text = await metric("ringmatch_presentation_fields_ignored_total");
      return Number(new RegExp(`place="${place}"} (\\d+)`).exec(text)?.[1] ?? 0);
    };
    const [body, page] = [await counted("body"), await counted("page")];
    const headers = { "content-type": "text/plain" };
    const answer = await request("POST", "/v1/presentations", { key: null, body: text, headers });
    expect(answer.json().presentations[0].outcome).toBe("presented");
    expect([await counted("body"), await counted("page")]).toEqual([body + 1, page + 1]);
    expect("polluted" in {}).toBe(false);
  });

  it("the touch comes from the page's URL, and what the page says wins", async () => {
    const { account } = await makeWorld(db, 1);
    const page = {
      url: "https://shop.example/?utm_source=google&utm_medium=cpc&gclid=abc&other=1#secret",
      referrer: "https://google.example/#x",
    };
    const body = {
      tag_key: account.tagKey,
      page,
      touch: { utm_source: "mail" },
      custom_data: { plan: "pro", seats: 3, vip: true },
      consent: { ad_personalization: "denied" },
    };
    expect((await present(body)).statusCode).toBe(200);
    const key = await keyOf(account.id, ["read"]);
    const [logged] = (await request("GET", "/v1/presentations", { key })).json().data;
    expect(logged.touch).toEqual({ utm_source: "mail", utm_medium: "cpc", gclid: "abc" });
    expect(logged.custom_data).toEqual({ plan: "pro", seats: 3, vip: true });
    const [stored] = await rows<{ context: unknown }>(db, "select context from presentation where id = $1", [
      logged.id,
    ]);
    expect(stored?.context).toEqual({
      url: "https://shop.example/?utm_source=google&utm_medium=cpc&gclid=abc&other=1",
      referrer: "https://google.example/",
      consent: { ad_personalization: "denied" },
    });
  });

  it("a pool of the visitor's campaign comes before the automatic one", async () => {
    const { account } = await makeWorld(db, 1);
    await addInventory(db, tollFreeNumbers(1));
    const pool = {
      account_id: account.id,
      name: "Spring",
      kind: "campaign",
      campaign: "spring",
      destination_number: DESTINATION,
      number_type: "toll_free",
      max_size: 1,
    };
    const { id } = (await request("POST", "/v1/pools", { body: pool })).json();
    const page = { url: "https://shop.example/?utm_campaign=spring" };
    const { presentations } = (await present({ tag_key: account.tagKey, page })).json();
    const [number] = (await request("GET", `/v1/numbers?pool_id=${id}`)).json().data;
    expect(presentations[0].promo_number).toBe(number.number);
  });

  it("what is written over the API holds for the next presentation", async () => {
    const account = await makeAccount(db);
    const tag_key = account.tagKey;
    const outcome = async () => (await present({ tag_key })).json().presentations[0].outcome;
    await makeDestination(db, account);
    expect(await outcome()).toBe("original");
    await addInventory(db, tollFreeNumbers(3));
    const common = { account_id: account.id, name: "P", kind: "automatic", destination_number: DESTINATION };
    const pool = { ...common, max_size: 3, fill_immediately: true };
    const { id } = (await request("POST", "/v1/pools", { body: pool })).json();
    expect(await outcome()).toBe("presented");
    const [destination] = (await request("GET", `/v1/destinations?account_id=${account.id}`)).json().data;
    await request("PATCH", `/v1/destinations/${destination.id}`, { body: { status: "ignored" } });
    expect(await outcome()).toBe("original");
    await request("PATCH", `/v1/destinations/${destination.id}`, { body: { status: "tracked" } });
    expect(await outcome()).toBe("presented");
    await request("DELETE", `/v1/pools/${id}`);
    expect(await outcome()).toBe("original");
  });

  it("a client-made visitor id is adopted; another account's or a malformed one is replaced", async () => {
    const [mine, theirs] = [await makeWorld(db, 3), await makeWorld(db, 3)];
    const made = ids.next("vis");
    expect((await present({ tag_key: mine.account.tagKey, visitor_id: made })).json().visitor_id).toBe(made);
    for (const visitor_id of [made, "vis_short", "", null, "x".repeat(5_000)]) {
      const answer = (await present({ tag_key: theirs.account.tagKey, visitor_id })).json();
      expect(answer.visitor_id).toMatch(/^vis_/);
      expect(answer.visitor_id).not.toBe(visitor_id);
    }
  });

  it("an exhausted pool gives its overflow number, or the original", async () => {
    const shared = await makeWorld(db, 1, { overflow: "overflow_number" });
    await present({ tag_key: shared.account.tagKey });
    const [second] = (await present({ tag_key: shared.account.tagKey })).json().presentations;
    const { overflow_number } = (await request("GET", `/v1/pools/${shared.pool.id}`)).json();
    expect(second).toMatchObject({ outcome: "overflow", promo_number: overflow_number, presentation_id: null });
    const none = await makeWorld(db, 1);
    await present({ tag_key: none.account.tagKey });
    const [original] = (await present({ tag_key: none.account.tagKey })).json().presentations;
    expect(original).toMatchObject({ outcome: "original", promo_number: null });
  });

  it("what is answered is committed: another connection reads it at once", async () => {
    const world = await makeWorld(db, 20);
    const elsewhere = openDatabase({ url, log: silentLog, connectionsMax: 1 });
    try {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { visitor_id, presentations } = (await present({ tag_key: world.account.tagKey })).json();
          const [p] = presentations;
          const stored = await rows(
            elsewhere,
            "select visitor_id, promo_number from presentation where presentation_id = $1",
            [p.presentation_id],
          );
          expect(stored).toEqual([{ visitor_id, promo_number: p.promo_number }]);
        }),
      );
    } finally {
      await elsewhere.close();
    }
  });

  it.each([
    ["tag_key", { tag_key: undefined }],
    ["tag_key", { tag_key: 5 }],
    ["numbers", { numbers: [] }],
    ["numbers", { numbers: Array.from({ length: 21 }, () => DESTINATION) }],
    ["numbers.0", { numbers: [5] }],
    ["page", { page: undefined }],
    ["page.url", { page: {} }],
    ["page.visible", { page: { ...PAGE, visible: "no" } }],
    ["visitor_id", { visitor_id: 5 }],
    ["custom_data", { custom_data: Object.fromEntries(Array.from({ length: 26 }, (_, i) => [`f${i}`, i])) }],
    ["custom_data.a", { custom_data: { a: "x".repeat(513) } }],
    ["custom_data.a", { custom_data: { a: { b: 1 } } }],
    ["custom_data.a", { custom_data: { a: null } }],
    ["touch.a", { touch: { a: 1 } }],
    ["consent.a", { consent: { a: [] } }],
  ])("names %s of %j", async (path, changes) => {
    const { account } = await makeWorld(db, 1);
    const problem = problemIn(await present({ tag_key: account.tagKey, ...changes }));
    expect(problem.status).toBe(422);
    expect(problem.errors?.map((error) => error.path)).toContain(path);
  });

  it("null for an optional field is the same as nothing", async () => {
    const { account } = await makeWorld(db, 1);
    const nothing = { visitor_id: null, touch: null, custom_data: null, consent: null };
    const page = { url: "", referrer: null, visible: null };
    expect((await present({ tag_key: account.tagKey, page, ...nothing })).json().presentations[0].outcome).toBe(
      "presented",
    );
  });

  it("16 kB is the limit", async () => {
    const { account } = await makeWorld(db, 1);
    const bodyOf = (bytes: number) => {
      const body = { tag_key: account.tagKey, numbers: [DESTINATION], page: { url: "" } };
      body.page.url = "x".repeat(bytes - JSON.stringify(body).length);
      return JSON.stringify(body);
    };
    const post = (body: string) => request("POST", "/v1/presentations", { key: null, body });
    expect((await post(bodyOf(16_384))).statusCode).toBe(200);
    const over = await post(bodyOf(16_385));
    expect(problemIn(over)).toMatchObject({ status: 413, code: "too_large" });
    expect(over.headers["access-control-allow-origin"]).toBe("*");
  });

  it("malformed JSON is 400, another content type 415", async () => {
    expect(problemIn(await present({}, { body: "{" })).status).toBe(400);
    const form = { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "tag_key=x" };
    expect(problemIn(await present({}, form)).status).toBe(415);
  });
});

describe("text that cannot be stored", () => {
  it.each([
    ['{"custom_data":{"a":"\\u0000"}', "custom_data.a"],
    ['{"custom_data":{"a":"x\\ud800y"}', "custom_data.a"],
    ['{"custom_data":{"\\u0000":"a"}', "custom_data"],
    ['{"touch":{"utm_source":"\\udc00"}', "touch.utm_source"],
    ['{"consent":{"a":"\\u0000"}', "consent.a"],
    ['{"visitor_id":"vis_\\u0000"', "visitor_id"],
    ['{"numbers":["\\u0000"]', "numbers.0"],
    ['{"unknown":[{"deep":"\\u0000"}]', "unknown.0.deep"],
  ])("%s… is 422 and costs nobody else", async (start, path) => {
    const { account } = await makeWorld(db, 1);
    const rest = JSON.stringify({ tag_key: account.tagKey, numbers: [DESTINATION], page: PAGE }).slice(1);
    const body = `${start},${start.includes('"numbers"') ? rest.replace('"numbers"', '"other"') : rest}`;
    const [poisoned, fine] = await Promise.all([present({}, { body }), present({ tag_key: account.tagKey })]);
    expect(problemIn(poisoned)).toMatchObject({ status: 422, errors: [{ path }] });
    expect(fine.json().presentations[0].outcome).toBe("presented");
  });

  it("a broken URL costs the visitor nothing, whatever it holds", async () => {
    const { account } = await makeWorld(db, 1);
    const piece = fc.oneof(
      fc.constantFrom("%00", "%ED%A0%80", "%F0%9F%98%80", "%", "&", "=", "#", "utm_campaign=", "gclid=", "+"),
      fc.string({ unit: "grapheme" }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 0, max: 600 }), async (pieces, pad) => {
        const page = { url: `https://shop.example/?utm_source=${"x".repeat(pad)}${"😀".repeat(3)}&${pieces.join("")}` };
        const response = await present({ tag_key: account.tagKey, visitor_id: "vis_01234567890123456789", page });
        expect(response.statusCode).toBe(200);
        expect(response.json().presentations[0].outcome).toMatch(/presented|renewed/);
      }),
      { numRuns: 150 },
    );
  });

  it("any JSON at all is answered 200, 404 or 422, never 500", async () => {
    const { account } = await makeWorld(db, 1);
    const value = fc.jsonValue({ stringUnit: "binary" });
    const shape = fc.record(
      {
        tag_key: fc.oneof(fc.constant(account.tagKey), value),
        visitor_id: fc.oneof(fc.constant(null), value),
        numbers: fc.oneof(fc.array(fc.oneof(fc.constant(DESTINATION), fc.string()), { maxLength: 4 }), value),
        page: fc.oneof(fc.record({ url: fc.string() }), value),
        touch: fc.oneof(
          fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), { maxKeys: 4 }),
          value,
        ),
        custom_data: fc.oneof(fc.dictionary(fc.string({ unit: "binary" }), value, { maxKeys: 4 }), value),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(shape, async (body) => {
        const response = await present({}, { body });
        expect([200, 400, 404, 422]).toContain(response.statusCode);
      }),
      { numRuns: 300 },
    );
    expect(lines.filter((line) => line.event === "presentation.fell_back_to_original")).toEqual([]);
  });
});

describe("suspected bots", () => {
  const OUTSIDE = "198.51.100.7";
  const outcomeOf = async (tagKey: string, options: RequestOptions, page: object = PAGE) =>
    (await present({ tag_key: tagKey, page }, options)).json().presentations[0].outcome;

  it.each([
    ["a crawler", { "user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)" }, PAGE],
    ["an invisible page", { "user-agent": BROWSER }, { ...PAGE, visible: false }],
  ])("%s gets no number of a visitor", async (_name, headers, page) => {
    const shared = await makeWorld(db, 1, { overflow: "overflow_number" });
    const options = { headers, remoteAddress: OUTSIDE };
    expect(await outcomeOf(shared.account.tagKey, options, page)).toBe("overflow");
    const none = await makeWorld(db, 1);
    expect(await outcomeOf(none.account.tagKey, options, page)).toBe("original");
    expect(await outcomeOf(none.account.tagKey, { remoteAddress: OUTSIDE })).toBe("presented");
  });

  it("an address over the limit is one, whatever it says it forwards for; others are not", async () => {
    const { account } = await makeWorld(db, 40);
    const from = (remoteAddress: string, forwarded: string) =>
      outcomeOf(account.tagKey, { remoteAddress, headers: { "x-forwarded-for": forwarded } });
    const outcomes: string[] = [];
    for (let i = 0; i < 32; i++) outcomes.push(await from("198.51.100.8", `203.0.113.${i}`));
    expect(outcomes.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => "presented"));
    expect(outcomes.slice(30)).toEqual(["original", "original"]);
    expect(await from("198.51.100.9", "127.0.0.1")).toBe("presented");
    expect(await metric("ringmatch_suspected_bots_total")).toContain('{reason="address_limit"} 2');
  });

  it("trusted addresses are never suspected", async () => {
    const { account } = await makeWorld(db, 45);
    const options = { remoteAddress: "::ffff:127.0.0.1", headers: { "user-agent": "curl/8" } };
    for (let i = 0; i < 40; i++) {
      expect(await outcomeOf(account.tagKey, options, { ...PAGE, visible: false })).toBe("presented");
    }
  });
});

describe("POST /v1/presentations/renew", () => {
  const renew = (body: object) => request("POST", "/v1/presentations/renew", { key: null, body });

  it("extends the lock, without a row in the log", async () => {
    const world = await makeWorld(db, 1);
    const tag_key = world.account.tagKey;
    const { visitor_id, presentations } = (await present({ tag_key })).json();
    const [{ presentation_id, locked_until }] = presentations;
    const response = await renew({ tag_key, visitor_id, presentation_ids: [presentation_id, "prs_none"], extra: 1 });
    const [renewed, lost] = response.json().presentations;
    expect(renewed).toMatchObject({ presentation_id, outcome: "renewed" });
    expect(Date.parse(renewed.locked_until)).toBeGreaterThanOrEqual(Date.parse(locked_until));
    expect(lost).toEqual({ presentation_id: "prs_none", outcome: "lost", locked_until: null });
    const key = await keyOf(world.account.id, ["read"]);
    expect((await request("GET", "/v1/presentations", { key })).json().data).toHaveLength(1);
  });

  it("is lost, never an error, for strangers", async () => {
    const world = await makeWorld(db, 1);
    const { presentations } = (await present({ tag_key: world.account.tagKey })).json();
    const presentation_ids = [presentations[0].presentation_id];
    for (const asked of [
      { tag_key: "tag_none", visitor_id: "vis_x" },
      { tag_key: world.account.tagKey, visitor_id: ids.next("vis") },
    ]) {
      const response = await renew({ ...asked, presentation_ids });
      expect(response.statusCode).toBe(200);
      expect(response.json().presentations[0].outcome).toBe("lost");
    }
  });

  it("renews what is the visitor's, whatever stands beside it", async () => {
    const world = await makeWorld(db, 1);
    const tag_key = world.account.tagKey;
    const { visitor_id, presentations } = (await present({ tag_key })).json();
    const own = presentations[0].presentation_id;
    const asked = [own, "", "x".repeat(500), own];
    const answered = (await renew({ tag_key, visitor_id, presentation_ids: asked })).json().presentations;
    expect(answered.map((one: { outcome: string }) => one.outcome)).toEqual(["renewed", "lost", "lost", "renewed"]);
    expect(answered.map((one: { presentation_id: string }) => one.presentation_id)).toEqual(asked);
    for (const nobody of [{}, { visitor_id: null }, { visitor_id: "" }]) {
      const response = await renew({ tag_key, presentation_ids: [own], ...nobody });
      expect(response.json().presentations).toMatchObject([{ presentation_id: own, outcome: "lost" }]);
    }
    expect((await renew({ tag_key, visitor_id, presentation_ids: [] })).json()).toEqual({ presentations: [] });
    const tooMany = Array.from({ length: 101 }, () => own);
    expect(problemIn(await renew({ tag_key, visitor_id, presentation_ids: tooMany })).status).toBe(422);
    expect(problemIn(await renew({ tag_key, visitor_id, presentation_ids: [5] })).status).toBe(422);
  });
});

describe("GET /v1/presentations", () => {
  it("filters by number, visitor and time", async () => {
    const world = await makeWorld(db, 2);
    const key = await keyOf(world.account.id, ["read"]);
    const tag_key = world.account.tagKey;
    const first = (await present({ tag_key })).json();
    const second = (await present({ tag_key })).json();
    await present({ tag_key, visitor_id: first.visitor_id });
    const log = async (query: string) => (await request("GET", `/v1/presentations?${query}`, { key })).json().data;
    const all = await log("");
    expect(all.map((row: { kind: string }) => row.kind)).toEqual(["renewal", "presented", "presented"]);
    expect(all[0]).toMatchObject({ seq: 2, promo_number: world.numbers[0], pool_id: world.pool.id });
    expect(await log(`visitor_id=${second.visitor_id}`)).toHaveLength(1);
    expect(await log(`number=${world.numbers[0]}`)).toHaveLength(2);
    expect(await log(`number=${encodeURIComponent(world.numbers[1] ?? "")}`)).toHaveLength(1);
    expect(await log("from=2020-01-01&to=2020-01-02")).toEqual([]);
    expect(await log(`from=${all[0].presented_at}`)).toEqual(expect.arrayContaining([all[0]]));
  });

  it("pages lose and repeat nothing while new rows arrive, also within one millisecond", async () => {
    const world = await makeWorld(db, 60);
    const key = await keyOf(world.account.id, ["read"]);
    const tag_key = world.account.tagKey;
    for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: 6 }, () => present({ tag_key })));
    // Rows a microsecond apart, as two processes write them.
    await rows(
      db,
      `update presentation p set presented_at = date_trunc('second', presented_at) + o.place * interval '1 microsecond'
       from (select id, row_number() over (order by id) as place from presentation where account_id = $1) o where o.id = p.id`,
      [world.account.id],
    );
    const expected = (await request("GET", "/v1/presentations?limit=500", { key })).json().data;
    expect(expected).toHaveLength(30);
    const seen: { id: string }[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = (await request("GET", `/v1/presentations?limit=7${query}`, { key })).json();
      seen.push(...page.data);
      cursor = page.next_cursor;
      await present({ tag_key });
    }
    expect(seen.map(({ id }) => id)).toEqual(expected.map((row: { id: string }) => row.id));
  });
});
