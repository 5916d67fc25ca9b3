import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, deps, keyOf } = makeHttpWorld(db);

async function worldWith(changes: object) {
  const world = await makeWorld(db, 2);
  const key = await keyOf(world.account.id, ["read", "write"]);
  const changed = await request("PATCH", `/v1/accounts/${world.account.id}`, { key, body: changes });
  const tag_key = world.account.tagKey;
  const present = (headers: Record<string, string> = {}, more: object = {}) =>
    request("POST", "/v1/presentations", {
      key: null,
      headers,
      body: { tag_key, numbers: ["+18005550100"], page: { url: "https://shop.example/" }, ...more },
    });
  const logged = () =>
    rows<{ touch: object; custom_data: object; context: object }>(
      db,
      "select touch, custom_data, context from presentation where account_id = $1",
      [world.account.id],
    );
  return { ...world, key, changed, tag_key, present, logged };
}

async function metric(name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(await deps.metrics.metrics())?.[1] ?? 0);
}

describe("an account's settings of its pages", () => {
  it("are set by its own key, written as browsers write origins", async () => {
    const allowed_origins = ["https://WWW.example.com/", "https://www.example.com", "http://*.example.org:8080"];
    const { changed, account } = await worldWith({ allowed_origins, consent: "required", visitor_lifetime_days: 400 });
    const settings = {
      allowed_origins: ["https://www.example.com", "http://*.example.org:8080"],
      consent: "required",
      visitor_lifetime_days: 400,
    };
    expect(changed.json()).toMatchObject(settings);
    const renamed = await request("PATCH", `/v1/accounts/${account.id}`, { body: { name: "New" } });
    expect(renamed.json()).toMatchObject(settings);
    const config = await request("GET", `/tag/config?key=${account.tagKey}`, { key: null });
    expect(config.json()).toMatchObject({ consent: "required", visitor_days: 400 });
    const created = await request("POST", "/v1/accounts", { body: { name: "Other", ...settings } });
    expect(created.json()).toMatchObject(settings);
    const cleared = await request("PATCH", `/v1/accounts/${account.id}`, { body: { allowed_origins: [] } });
    expect(cleared.json().allowed_origins).toEqual([]);
  });

  it.each([
    [{ allowed_origins: ["https://ok.example", "example.com"] }, "allowed_origins.1"],
    [{ allowed_origins: Array.from({ length: 101 }, (_, i) => `https://h${i}.example`) }, "allowed_origins"],
    [{ consent: "maybe" }, "consent"],
    [{ visitor_lifetime_days: 401 }, "visitor_lifetime_days"],
    [{ visitor_lifetime_days: 0 }, "visitor_lifetime_days"],
  ])("refuses %j", async (body, path) => {
    const { changed } = await worldWith(body);
    expect(problemIn(changed)).toMatchObject({ status: 422, errors: [{ path }] });
  });
});

describe("while origins are listed", () => {
  it("a page of another origin gets a 403 and takes nothing", async () => {
    const { present, logged } = await worldWith({ allowed_origins: ["https://shop.example"] });
    const before = await metric("ringmatch_origins_refused_total");
    for (const origin of ["https://evil.example", "null", "http://shop.example", "https://shop.example:8443"]) {
      const refused = await present({ origin });
      expect(problemIn(refused)).toMatchObject({ status: 403, code: "origin_not_allowed" });
      expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
    }
    expect(await logged()).toEqual([]);
    expect(await metric("ringmatch_origins_refused_total")).toBe(before + 4);
  });

  it("one of a listed origin may read its answer, and a server needs none", async () => {
    const { present } = await worldWith({ allowed_origins: ["https://shop.example", "https://*.shop.example"] });
    for (const origin of ["https://shop.example", "https://de.shop.example"]) {
      const answer = await present({ origin });
      expect(answer.json().presentations[0].outcome).toBe("presented");
      expect(answer.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin" });
    }
    const server = await present();
    expect(server.statusCode).toBe(200);
    expect(server.headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("renewals are refused alike, and a preflight, which names no account, is answered", async () => {
    const { present, tag_key } = await worldWith({ allowed_origins: ["https://shop.example"] });
    const { visitor_id, presentations } = (await present({ origin: "https://shop.example" })).json();
    const body = { tag_key, visitor_id, presentation_ids: [presentations[0].presentation_id] };
    const renew = (origin: string) =>
      request("POST", "/v1/presentations/renew", { key: null, headers: { origin }, body });
    expect(problemIn(await renew("https://evil.example")).code).toBe("origin_not_allowed");
    const renewed = await renew("https://shop.example");
    expect(renewed.json().presentations[0].outcome).toBe("renewed");
    expect(renewed.headers["access-control-allow-origin"]).toBe("https://shop.example");
    const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
    const preflight = await request("OPTIONS", "/v1/presentations", { key: null, headers });
    expect([preflight.statusCode, preflight.headers["access-control-allow-origin"]]).toEqual([204, "*"]);
  });

  it("while none are, any page may ask and read", async () => {
    const { present } = await worldWith({});
    const answer = await present({ origin: "null" });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    expect(answer.headers["vary"]).toBeUndefined();
  });
});

describe("a paused tag", () => {
  it("pages that still ask keep their own numbers; nothing is stored, not even a number seen", async () => {
    const { present, logged, account, key } = await worldWith({ auto_create_pools: true });
    await request("POST", "/v1/tag/pause", { key });
    const visitor_id = "vis_01234567890123456789";
    const paused = await present({}, { visitor_id, numbers: ["(800) 555-0100", "+18005550777"] });
    expect(paused.json()).toMatchObject({
      visitor_id,
      presentations: [
        { outcome: "original", destination_number: "+18005550100", promo_number: null, renew_after_s: null },
        { outcome: "original", destination_number: "+18005550777" },
      ],
    });
    expect(await logged()).toEqual([]);
    const seen = await rows(db, "select 1 from destination where account_id = $1 and status <> 'tracked'", [
      account.id,
    ]);
    expect(seen).toEqual([]);
    expect(await rows(db, "select 1 from destination where account_id = $1", [account.id])).toHaveLength(1);
    await request("POST", "/v1/tag/unpause", { key });
    expect((await present({}, { visitor_id })).json().presentations[0].outcome).toBe("presented");
  });

  it("numbers that a page shows already are still renewed: its visitor may be about to call", async () => {
    const { present, tag_key, key } = await worldWith({});
    const { visitor_id, presentations } = (await present()).json();
    await request("POST", "/v1/tag/pause", { key });
    const body = { tag_key, visitor_id, presentation_ids: [presentations[0].presentation_id] };
    const renewed = await request("POST", "/v1/presentations/renew", { key: null, body });
    expect(renewed.json().presentations[0].outcome).toBe("renewed");
  });
});

it.each(["text/plain;charset=UTF-8", "text/plain", "Text/Plain; charset=utf-8"])(
  "a beacon's %s renews as JSON does",
  async (type) => {
    const { present, tag_key } = await worldWith({});
    const { visitor_id, presentations } = (await present()).json();
    const body = JSON.stringify({ tag_key, visitor_id, presentation_ids: [presentations[0].presentation_id] });
    const headers = { "content-type": type, origin: "https://shop.example" };
    const renewed = await request("POST", "/v1/presentations/renew", { key: null, headers, body });
    expect(renewed.json().presentations[0].outcome).toBe("renewed");
  },
);

describe("click ids", () => {
  const page = {
    url: "https://shop.example/?utm_source=google&gclid=secret#x",
    referrer: "https://a.example/?fbclid=secret",
  };
  const more = {
    page,
    touch: { utm_source: "google", gad_source: "secret" },
    custom_data: { gclid: "secret", plan: "pro" },
  };

  it("of a visitor who declined ads are stored nowhere", async () => {
    const { present, logged } = await worldWith({});
    const consent = { ad_storage: "denied", ad_user_data: "granted", analytics_storage: "granted" };
    expect((await present({}, { ...more, consent })).json().presentations[0].outcome).toBe("presented");
    expect(await logged()).toEqual([
      {
        touch: { utm_source: "google" },
        custom_data: { plan: "pro" },
        context: { url: "https://shop.example/?utm_source=google", referrer: "https://a.example/", consent },
      },
    ]);
  });

  it("of one who did not are kept", async () => {
    const { present, logged } = await worldWith({});
    await present({}, { ...more, consent: { ad_storage: "granted" } });
    expect(await logged()).toMatchObject([
      { touch: { gclid: "secret", gad_source: "secret" }, context: { url: expect.stringContaining("gclid=secret") } },
    ]);
  });
});
