import { describe, expect, it } from "vitest";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemClock } from "../../src/kernel/clock.js";
import { AllocationBatch, WAIT_MS_MAX } from "../../src/pool/allocation-batch.js";
import { Directory, LOAD_MS_MAX } from "../../src/pool/directory.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

/** Nothing listens on port 1 of this machine. */
const NOBODY = "postgresql://nobody@127.0.0.1:1/none";
const away = openDatabase({ url: NOBODY, log: silentLog });
const { db, url } = await freshDatabase();
const body = { numbers: ["(800) 555-0100", "hello"], page: { url: "https://shop.example/" } };

describe("the database is away", () => {
  const { request } = makeHttpWorld(away, { readiness: async () => ({ ready: false, checks: { postgres: false } }) });

  it("a page keeps its original numbers, with status 200", async () => {
    const visitor_id = "vis_01234567890123456789";
    const response = await request("POST", "/v1/presentations", {
      key: null,
      body: { tag_key: "tag_x", visitor_id, ...body },
    });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      visitor_id,
      presentations: [
        { outcome: "original", destination_number: "+18005550100", promo_number: null, presentation_id: null },
        { outcome: "original", destination_number: "hello" },
      ],
    });
  });

  it("so does one whose account is known already", async () => {
    const { account } = await makeWorld(db, 1);
    const directory = new Directory(db);
    await directory.byTagKey(account.tagKey);
    const batch = new AllocationBatch({ db: away, clock: systemClock, log: silentLog });
    const known = makeHttpWorld(away, { directory, batch });
    const response = await known.request("POST", "/v1/presentations", {
      key: null,
      body: { tag_key: account.tagKey, ...body },
    });
    expect(response.statusCode).toBe(200);
    expect(response.json().presentations[0]).toMatchObject({ outcome: "original", destination_number: "+18005550100" });
    const bot = { ...body, tag_key: account.tagKey, page: { url: "", visible: false } };
    const suspected = await known.request("POST", "/v1/presentations", {
      key: null,
      body: bot,
      remoteAddress: "198.51.100.7",
    });
    expect(suspected.json().presentations[0].outcome).toBe("original");
  });

  it("so does one whose account is not read in time, and the next one finds it read", async () => {
    const proxy = await CuttableProxy.start(url);
    const slow = openDatabase({ url: proxy.url, log: silentLog });
    const batch = new AllocationBatch({ db, clock: systemClock, log: silentLog });
    const world = makeHttpWorld(slow, { directory: new Directory(slow), batch });
    const { account } = await makeWorld(db, 1);
    const view = () =>
      world.request("POST", "/v1/presentations", { key: null, body: { tag_key: account.tagKey, ...body } });
    try {
      proxy.hang();
      const since = performance.now();
      const first = await view();
      expect(performance.now() - since).toBeLessThan(LOAD_MS_MAX + 700);
      expect([first.statusCode, first.json().presentations[0].outcome]).toEqual([200, "original"]);
      proxy.restore();
      await until("the account is read", async () => (await view()).json().presentations[0].outcome === "presented");
    } finally {
      await proxy.stop();
      await slow.close();
    }
  });

  it("so does one that has waited for its account for as long as a tag waits: nobody looks at a number any more", async () => {
    const { account } = await makeWorld(db, 1);
    let readForMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + readForMs };
    const directory = new Directory(db);
    const byTagKey = directory.byTagKey.bind(directory);
    directory.byTagKey = async (tagKey) => {
      const found = await byTagKey(tagKey);
      readForMs += WAIT_MS_MAX + 1;
      return found;
    };
    const batch = new AllocationBatch({ db, clock, log: silentLog });
    const late = makeHttpWorld(db, { directory, batch, clock });
    const response = await late.request("POST", "/v1/presentations", {
      key: null,
      body: { tag_key: account.tagKey, ...body },
    });
    expect([response.statusCode, response.json().presentations[0].outcome]).toEqual([200, "original"]);
    expect(await rows(db, "select from presentation where account_id = $1", [account.id])).toEqual([]);
  });

  it("renewals are lost", async () => {
    const asked = { tag_key: "tag_x", visitor_id: "vis_x", presentation_ids: ["prs_1"] };
    const response = await request("POST", "/v1/presentations/renew", { key: null, body: asked });
    expect(response.statusCode).toBe(200);
    expect(response.json().presentations).toEqual([{ presentation_id: "prs_1", outcome: "lost", locked_until: null }]);
  });

  it.each([
    ["GET", "/v1/calls"],
    ["GET", "/v1/presentations"],
    ["GET", "/v1/trunks"],
    ["POST", "/v1/accounts"],
    ["PUT", "/v1/settings/quarantine"],
  ] as const)("%s %s is 503 with Retry-After", async (method, url) => {
    for (const key of [undefined, "rm_some_account_key"]) {
      const options = { ...(method === "GET" ? {} : { body: { name: "x" } }), ...(key === undefined ? {} : { key }) };
      const response = await request(method, url, url.includes("settings") ? { ...options, body: {} } : options);
      expect(problemIn(response)).toMatchObject({ status: 503, code: "database_unavailable" });
      expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
      expect(response.body).not.toContain("ECONNREFUSED");
    }
  });

  it("a POST with an Idempotency-Key is 503 as well, and nothing is claimed", async () => {
    const options = { body: { name: "x" }, headers: { "idempotency-key": "k1" } };
    expect(problemIn(await request("POST", "/v1/accounts", options)).status).toBe(503);
  });

  it("the process lives, and says that it is not ready", async () => {
    expect((await request("GET", "/healthz", { key: null })).statusCode).toBe(200);
    const ready = await request("GET", "/readyz", { key: null });
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toEqual({ ready: false, draining: false, checks: { postgres: false } });
    expect((await request("GET", "/metrics", { key: null })).statusCode).toBe(200);
  });
});
