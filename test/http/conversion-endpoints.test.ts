/** Endpoints of the kinds ga4, google_ads and meta over HTTP: what is taken, what is shown, what is refused. */
import { beforeEach, describe, expect, it } from "vitest";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import { silentLog } from "../../src/kernel/log.js";
import { conversions, convertingCall, PRIVATE_KEY, SETTINGS } from "../support/conversions.js";
import { freshDatabase, rows } from "../support/database.js";
import { startNetworks } from "../support/fake-networks.js";
import { makeWorld, secrets } from "../support/world.js";
import { ADMIN_KEY, makeHttpWorld, notFetched, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const networks = await startNetworks();
const { relay, deliver, side } = conversions(db, networks, { log: silentLog });
const outgoing = { guard: createTargetGuard([]), soon: () => {}, statusOf: side.statusOf, fetchPage: notFetched };
const { request, keyOf, lines } = makeHttpWorld(db, { outgoing });
const world = await makeWorld(db, 10);
const key = await keyOf(world.account.id, ["read", "write"]);
const piiKey = await keyOf(world.account.id, ["read", "write", "calls:pii"]);
const PATH = "/v1/webhook_endpoints";
const KINDS = ["ga4", "google_ads", "meta"] as const;
const SERVICE_ACCOUNT = {
  type: "service_account",
  client_email: "robot@project.iam.gserviceaccount.com",
  private_key: PRIVATE_KEY,
};

beforeEach(async () => {
  await rows(db, "truncate outbox, outgoing_delivery, webhook_endpoint");
  networks.clear();
});

async function create(kind: (typeof KINDS)[number], body: object = {}, as = key) {
  const response = await request("POST", PATH, { key: as, body: { kind, settings: SETTINGS[kind], ...body } });
  expect(response.statusCode).toBe(201);
  return response.json();
}

async function sealedSettings(id: string): Promise<unknown> {
  const [row] = await rows<{ enc: Buffer }>(db, "select secret_enc as enc from webhook_endpoint where id = $1", [id]);
  return JSON.parse(secrets.open(row?.enc as Buffer));
}

describe("an endpoint of a network", () => {
  it.each([
    ["ga4", { api_secret: "…0001" }],
    ["meta", { access_token: "…0001" }],
    [
      "google_ads",
      { credentials: { type: "refresh_token", client_id: "client", client_secret: "…ests", refresh_token: "…ests" } },
    ],
  ] as const)("%s shows its settings with secrets masked, everywhere, and keeps them sealed", async (kind, masked) => {
    const created = await create(kind);
    expect(created).toMatchObject({
      kind,
      url: null,
      events: ["call.completed", "call.updated"],
      account_id: world.account.id,
      settings: { ...SETTINGS[kind], ...masked },
    });
    expect(created).not.toHaveProperty("secret");
    expect((await request("GET", `${PATH}/${created.id}`, { key })).json()).toEqual(created);
    expect((await request("GET", PATH, { key })).json().data).toEqual([created]);
    expect(await sealedSettings(created.id)).toEqual(SETTINGS[kind]);
    const [stored] = await rows(db, "select * from webhook_endpoint");
    for (const text of [JSON.stringify(created), JSON.stringify(lines), JSON.stringify(stored)])
      expect(text).not.toMatch(/secret-for-tests|token-for-tests/);
    expect(lines.findLast(({ event }) => event === "webhook_endpoint.created")?.fields).toMatchObject({
      kind,
      host: null,
    });
  });

  it("has defaults, and takes a service account's key", async () => {
    const { measurement_id, api_secret } = SETTINGS.ga4;
    expect((await create("ga4", { settings: { measurement_id, api_secret } })).settings).toEqual({
      measurement_id,
      api_secret: "…0001",
      event_name: "phone_call",
      min_talk_s: null,
      client_id_field: "ga_client_id",
      session_id_field: null,
    });
    const created = await create("google_ads", { settings: { ...SETTINGS.google_ads, credentials: SERVICE_ACCOUNT } });
    expect(created.settings.credentials).toEqual({ ...SERVICE_ACCOUNT, private_key: "…" });
  });

  it("is changed field by field; what is not given stays, secrets too, and null is the default again", async () => {
    const { id } = await create("ga4");
    const changed = await request("PATCH", `${PATH}/${id}`, {
      key,
      body: { settings: { event_name: "call", min_talk_s: null } },
    });
    expect(changed.json().settings).toEqual({
      ...SETTINGS.ga4,
      api_secret: "…0001",
      event_name: "call",
      min_talk_s: null,
    });
    expect(await sealedSettings(id)).toEqual({ ...SETTINGS.ga4, event_name: "call", min_talk_s: null });
    const secret = await request("PATCH", `${PATH}/${id}`, {
      key,
      body: { settings: { api_secret: "another-secret-0002" } },
    });
    expect(secret.json().settings.api_secret).toBe("…0002");
    for (const [settings, path] of [
      [{ api_secret: "…0002" }, "settings.api_secret"],
      [{ event_name: "session_start" }, "settings.event_name"],
      [{ colour: "red" }, "settings.colour"],
      [{ measurement_id: null }, "settings.measurement_id"],
    ] as const)
      expect(problemIn(await request("PATCH", `${PATH}/${id}`, { key, body: { settings } }))).toMatchObject({
        status: 422,
        errors: [{ path }],
      });
  });

  it.each([
    ["ga4", { settings: { ...SETTINGS.ga4, measurement_id: "UA-1" } }, "settings.measurement_id"],
    ["ga4", { settings: { ...SETTINGS.ga4, event_name: "first_visit" } }, "settings.event_name"],
    ["ga4", { settings: { ...SETTINGS.ga4, api_secret: "…0001" } }, "settings.api_secret"],
    ["ga4", { settings: { ...SETTINGS.ga4, min_talk_s: -1 } }, "settings.min_talk_s"],
    ["ga4", { settings: { ...SETTINGS.ga4, colour: 1 } }, "settings.colour"],
    ["ga4", { include_caller: true }, "include_caller"],
    ["google_ads", { include_caller: true }, "include_caller"],
    [
      "google_ads",
      { settings: { ...SETTINGS.google_ads, operating_account_id: "123-456-7890" } },
      "settings.operating_account_id",
    ],
    [
      "google_ads",
      { settings: { ...SETTINGS.google_ads, credentials: { ...SERVICE_ACCOUNT, private_key: "no key" } } },
      "settings.credentials.private_key",
    ],
    [
      "google_ads",
      { settings: { ...SETTINGS.google_ads, credentials: { type: "password" } } },
      "settings.credentials.type",
    ],
    ["meta", { settings: { ...SETTINGS.meta, dataset_id: "../me" } }, "settings.dataset_id"],
    ["meta", { url: "https://example.com/" }, "url"],
    ["meta", { events: ["call.received"] }, "events"],
    ["fax", {}, "kind"],
  ])("of the kind %s with %j is refused at %s", async (kind, body, path) => {
    const settings = SETTINGS[kind as keyof typeof SETTINGS];
    const response = await request("POST", PATH, { key, body: { kind, settings, ...body } });
    expect(problemIn(response)).toMatchObject({ status: 422, errors: [{ path }] });
    expect(response.body).not.toMatch(/for-tests/);
  });

  it("belongs to an account, and has neither URL nor signature", async () => {
    const body = { kind: "meta", settings: SETTINGS.meta };
    expect(problemIn(await request("POST", PATH, { key: ADMIN_KEY, body }))).toMatchObject({
      status: 422,
      errors: [{ path: "account_id" }],
    });
    expect(
      (await request("POST", PATH, { key: ADMIN_KEY, body: { ...body, account_id: world.account.id } })).statusCode,
    ).toBe(201);
    const { id } = await create("meta");
    expect((await request("POST", `${PATH}/${id}/rotate_secret`, { key })).statusCode).toBe(409);
    const change = await request("PATCH", `${PATH}/${id}`, {
      key,
      body: { url: "https://example.com/", format: "standard" },
    });
    expect(problemIn(change)).toMatchObject({ status: 422, errors: [{ path: "url" }, { path: "format" }] });
    const webhook = await request("POST", PATH, {
      key,
      body: { kind: "webhook", url: "https://example.com/", events: ["call.updated"] },
    });
    expect(webhook.json()).toMatchObject({ kind: "webhook", settings: null, secret: expect.stringMatching(/^whsec_/) });
    const settings = await request("PATCH", `${PATH}/${webhook.json().id}`, { key, body: { settings: {} } });
    expect(problemIn(settings)).toMatchObject({ status: 422, errors: [{ path: "settings" }] });
  });

  it("is shown callers at the word of a key that may see them", async () => {
    const body = { kind: "meta", settings: SETTINGS.meta, include_caller: true };
    expect((await request("POST", PATH, { key, body })).statusCode).toBe(403);
    const { id } = await create("meta", { include_caller: true }, piiKey);
    const change = { key, body: { settings: { access_token: "another-token-for-tests" } } };
    expect((await request("PATCH", `${PATH}/${id}`, change)).statusCode).toBe(403);
  });
});

describe("its deliveries", () => {
  it("say why one was skipped, and are listed by it", async () => {
    const { id } = await create("google_ads");
    await convertingCall(db, world, { touch: {} });
    await convertingCall(db, world);
    await relay();
    await deliver(id);
    const skipped = (await request("GET", `${PATH}/${id}/deliveries?state=skipped`, { key })).json().data;
    expect(skipped).toMatchObject([
      { state: "skipped", skipped_reason: "no_click_id", attempts: [], next_attempt_at: null },
    ]);
    const replay = await request("POST", `${PATH}/${id}/deliveries/${skipped[0].id}/replay`, { key });
    expect(problemIn(replay)).toMatchObject({ status: 409, code: "conflict" });
    expect((await request("GET", `${PATH}/${id}/deliveries/${skipped[0].id}/request_status`, { key })).statusCode).toBe(
      409,
    );
    const [delivered] = (await request("GET", `${PATH}/${id}/deliveries?state=delivered`, { key })).json().data;
    expect(delivered).toMatchObject({
      skipped_reason: null,
      attempts: [{ status: 200, request_id: "req-1-0123456789" }],
    });
    const status = await request("GET", `${PATH}/${id}/deliveries/${delivered.id}/request_status`, { key });
    expect(status.json()).toEqual({ request_id: "req-1-0123456789", status: "PROCESSING", errors: [], error: null });
    networks.requestStatus.clear();
    const lost = await request("GET", `${PATH}/${id}/deliveries/${delivered.id}/request_status`, { key });
    expect(lost.json()).toMatchObject({ status: null, error: "status_404" });
    const replayed = await request("POST", `${PATH}/${id}/deliveries/${delivered.id}/replay`, { key });
    expect(replayed.statusCode).toBe(202);
  });

  it("are asked after at Google Ads alone", async () => {
    const { id } = await create("meta");
    expect((await request("GET", `${PATH}/${id}/deliveries/dlv_1/request_status`, { key })).statusCode).toBe(409);
    const google = await create("google_ads");
    expect((await request("GET", `${PATH}/${google.id}/deliveries/dlv_1/request_status`, { key })).statusCode).toBe(
      404,
    );
  });
});
