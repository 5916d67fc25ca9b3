import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { makeAccount, makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const trunksChanged: string[] = [];
const { request, keyOf, lines, schedule } = makeHttpWorld(db, { onTrunksChanged: () => trunksChanged.push("changed") });

describe("/v1/settings/quarantine", () => {
  const put = (body: unknown) => request("PUT", "/v1/settings/quarantine", { body });

  it("has defaults, and a PUT replaces the whole rule", async () => {
    const defaults = {
      hold_s: 3_888_000,
      max_rate_per_day: 0.1,
      confidence: 0.95,
      spam_callers: [],
      retire_after_s: null,
    };
    expect((await request("GET", "/v1/settings/quarantine")).json()).toEqual(defaults);
    const changed = await put({ hold_s: 5_000_000, spam_callers: ["+14155550123", "+14155550123"], retire_after_s: 9 });
    expect(changed.json()).toEqual({
      ...defaults,
      hold_s: 5_000_000,
      spam_callers: ["+14155550123"],
      retire_after_s: 9,
    });
    expect((await request("GET", "/v1/settings/quarantine")).json()).toEqual(changed.json());
    expect((await put({})).json()).toEqual(defaults);
  });

  it("a short hold is accepted with a warning, and numbers in quarantine are looked at again", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    await request("POST", `/v1/numbers/${number}/quarantine`, { body: { reason: "test" } });
    schedule.checks.length = 0;
    lines.length = 0;
    expect((await put({ hold_s: 0, max_rate_per_day: 1e9 })).statusCode).toBe(200);
    expect(lines.some(({ level, event }) => level === "warn" && event === "quarantine.hold_below_recommended")).toBe(
      true,
    );
    expect(schedule.checks).toContainEqual(expect.objectContaining({ e164: number, delayMs: 0 }));
    const released = await request("POST", `/v1/numbers/${number}/release`, { body: { reason: "clean" } });
    expect(released.json().state).toBe("available");
    await put({});
  });

  it("rules that no date can say are stored and shown", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    expect((await put({ hold_s: 1e11, max_rate_per_day: 1e-300, confidence: 0.999999999 })).statusCode).toBe(200);
    await request("POST", `/v1/numbers/${number}/quarantine`, { body: { reason: "test" } });
    const shown = await request("GET", `/v1/numbers/${number}`);
    expect(shown.json().quarantine.earliest_release_at).toMatch(/^9999-/);
    await put({});
  });

  it.each([
    ["hold_s", { hold_s: -1 }],
    ["max_rate_per_day", { max_rate_per_day: 0 }],
    ["confidence", { confidence: 1 }],
    ["confidence", { confidence: 0 }],
    ["spam_callers.0", { spam_callers: ["555"] }],
    ["holds", { holds: 1 }],
  ])("names %s of %j", async (path, body) => {
    expect(problemIn(await put(body)).errors?.map((error) => error.path)).toEqual([path]);
  });

  it("spam callers stay out of the log", () => {
    expect(JSON.stringify(lines)).not.toContain("+14155550123");
  });
});

describe("/v1/trunks", () => {
  const put = (name: string, body: unknown) => request("PUT", `/v1/trunks/${name}`, { body });

  it("creates and replaces a trunk, and says so to the process", async () => {
    const body = {
      source_cidrs: ["203.0.113.0/24", "2001:db8::/32"],
      transport: "tcp",
      default_country: "GB",
      max_cps: 10,
      max_calls: 100,
      outbound_uri: "sip:gw.example.com:5060",
      mode: "b2bua",
      trust_identity: false,
    };
    const before = trunksChanged.length;
    expect((await put("carrier-1", body)).json()).toEqual({ name: "carrier-1", ...body });
    const replaced = await put("carrier-1", { source_cidrs: ["203.0.113.7/32"] });
    const defaults = { transport: "udp", default_country: "US", max_cps: null, outbound_uri: null, mode: "b2bua" };
    expect(replaced.json()).toMatchObject({ ...defaults, source_cidrs: ["203.0.113.7/32"], trust_identity: true });
    expect(trunksChanged.length).toBe(before + 2);
    expect((await request("GET", "/v1/trunks")).json()).toEqual({ data: [replaced.json()], next_cursor: null });
  });

  it("are listed in pages, as every list is", async () => {
    for (const name of ["zone-b", "zone-a", "zone-c"]) await put(name, { source_cidrs: ["203.0.113.0/24"] });
    const all = (await request("GET", "/v1/trunks?limit=500")).json();
    const names = (page: { data: { name: string }[] }) => page.data.map(({ name }) => name);
    expect(names(all).slice(-3)).toEqual(["zone-a", "zone-b", "zone-c"]);
    expect(all.next_cursor).toBeNull();
    const seen: string[] = [];
    for (let next = ""; next !== "/v1/trunks?limit=1&cursor=null"; ) {
      const page: { data: { name: string }[]; next_cursor: string | null } = (
        await request("GET", next === "" ? "/v1/trunks?limit=1" : next)
      ).json();
      expect(page.data).toHaveLength(1);
      seen.push(...names(page));
      next = `/v1/trunks?limit=1&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(names(all));
    expect(problemIn(await request("GET", "/v1/trunks?limit=501")).errors).toMatchObject([{ path: "limit" }]);
    expect(problemIn(await request("GET", "/v1/trunks?cursor=x")).errors).toMatchObject([{ path: "cursor" }]);
  });

  it.each(["b2bua", "proxy", "redirect"])("mode %s is kept", async (mode) => {
    const trunk = await put("t", { source_cidrs: ["203.0.113.0/24"], mode });
    expect(trunk.json()).toMatchObject({ mode });
  });

  it("a mode that does not exist is refused", async () => {
    const problem = problemIn(await put("t", { source_cidrs: ["203.0.113.0/24"], mode: "forward" }));
    expect(problem.errors).toMatchObject([{ path: "mode" }]);
  });

  it("one that is open to the whole Internet is warned about", async () => {
    lines.length = 0;
    await put("open", { source_cidrs: ["0.0.0.0/0"] });
    expect(lines.some(({ level, event }) => level === "warn" && event === "trunk.open_to_all")).toBe(true);
  });

  it.each([
    ["source_cidrs", "t", {}],
    ["source_cidrs", "t", { source_cidrs: [] }],
    ["source_cidrs.0", "t", { source_cidrs: ["203.0.113.0"] }],
    ["transport", "t", { source_cidrs: ["203.0.113.0/24"], transport: "sctp" }],
    ["default_country", "t", { source_cidrs: ["203.0.113.0/24"], default_country: "usa" }],
    ["max_cps", "t", { source_cidrs: ["203.0.113.0/24"], max_cps: 0 }],
    ["outbound_uri", "t", { source_cidrs: ["203.0.113.0/24"], outbound_uri: "gw.example.com" }],
    ["name", "Bad%20Name", { source_cidrs: ["203.0.113.0/24"] }],
  ])("names %s of %s %j", async (path, name, body) => {
    expect(problemIn(await put(name, body)).errors?.map((error) => error.path)).toEqual([path]);
  });
});

describe("/v1/carriers/:carrier", () => {
  const SECRET = "0123456789abcdef0123456789abcdef";

  it.each([
    ["twilio", { auth_tokens: [SECRET, `${SECRET}2`] }],
    ["signalwire", { auth_tokens: [SECRET] }],
    ["plivo", { auth_tokens: [SECRET] }],
    ["telnyx", { public_key: SECRET }],
    ["vonage", { signature_secret: SECRET }],
    ["sinch", { key: SECRET, secret: SECRET }],
    ["bandwidth", { username: "customer-account", password: SECRET }],
  ])("%s: keeps its secrets sealed, shows their end, keeps its id", async (carrier, secrets) => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["read", "write"]);
    const put = (body: object) => request("PUT", `/v1/carriers/${carrier}`, { key, body });
    const first = await put({ ...secrets, intercept: "announce" });
    expect(first.statusCode).toBe(200);
    expect(first.json()).toMatchObject({ carrier, account_id: account.id, intercept: "announce" });
    expect(first.json().credential_id).toMatch(/^crd_/);
    expect(first.body).not.toContain(SECRET);
    expect(first.body).toContain(SECRET.slice(-4));
    expect((await put(secrets)).json()).toMatchObject({
      credential_id: first.json().credential_id,
      intercept: "reject",
    });
    const listed = await request("GET", `/v1/carriers/${carrier}`, { key });
    expect(listed.json().data).toMatchObject([{ credential_id: first.json().credential_id, account_id: account.id }]);
    expect(listed.body).not.toContain(SECRET);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
    const stored = await rows<{ hex: string }>(
      db,
      "select encode(secrets_enc, 'escape') as hex from carrier_credential",
    );
    expect(stored.map(({ hex }) => hex).join()).not.toContain(SECRET);
  });

  it("without an account, a key of the platform sets the platform's own; an account sees only its own", async () => {
    const account = await makeAccount(db);
    const key = await keyOf(account.id, ["read", "write"]);
    const own = await request("PUT", "/v1/carriers/twilio", { body: { auth_tokens: ["short"] } });
    expect(own.json()).toMatchObject({ account_id: null, auth_tokens: ["…"] });
    const theirs = await request("PUT", "/v1/carriers/twilio", {
      body: { account_id: account.id, auth_tokens: [SECRET] },
    });
    expect(theirs.json().account_id).toBe(account.id);
    const seen = (await request("GET", "/v1/carriers/twilio", { key })).json().data;
    expect(seen.map((row: { account_id: string }) => row.account_id)).toEqual([account.id]);
    const all = (await request("GET", "/v1/carriers/twilio")).json().data;
    expect(all.map((row: { account_id: string | null }) => row.account_id)).toEqual(
      expect.arrayContaining([null, account.id]),
    );
    const first = (await request("GET", "/v1/carriers/twilio?limit=1")).json();
    const second = (await request("GET", `/v1/carriers/twilio?limit=500&cursor=${first.next_cursor}`)).json();
    expect([...first.data, ...second.data]).toEqual(all);
    expect([first.data.length, second.next_cursor]).toEqual([1, null]);
    const unknown = await request("PUT", "/v1/carriers/twilio", {
      body: { account_id: "acc_none", auth_tokens: [SECRET] },
    });
    expect(problemIn(unknown).code).toBe("not_found");
  });

  it.each([
    ["auth_tokens", "twilio", {}],
    ["auth_tokens", "twilio", { auth_tokens: [] }],
    ["auth_tokens", "twilio", { auth_tokens: ["a", "b", "c"] }],
    ["auth_tokens.0", "twilio", { auth_tokens: [""] }],
    ["auth_token", "twilio", { auth_tokens: ["a"], auth_token: "b" }],
    ["public_key", "telnyx", { auth_tokens: ["a"] }],
    ["secret", "sinch", { key: "a" }],
    ["intercept", "plivo", { auth_tokens: ["a"], intercept: "ignore" }],
    ["carrier", "acme", { auth_tokens: ["a"] }],
  ])("names %s of %s %j", async (path, carrier, body) => {
    const problem = problemIn(await request("PUT", `/v1/carriers/${carrier}`, { body }));
    expect(problem.status).toBe(422);
    expect(problem.errors?.map((error) => error.path)).toContain(path);
  });
});
