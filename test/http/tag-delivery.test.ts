import { createHash } from "node:crypto";
import vm from "node:vm";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { makeAccount, makeDestination } from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, deps } = makeHttpWorld(db);

/** What the stand-in script was given when it ran. */
function configIn(script: string): unknown {
  const context: { tag?: unknown } = {};
  vm.runInNewContext(script, context);
  return JSON.parse(JSON.stringify(context.tag ?? null));
}

async function get(url: string, headers: Record<string, string> = {}) {
  return request("GET", url, { key: null, headers });
}

describe("GET /tag.js", () => {
  it("is the script with the configuration of a new account, live at once", async () => {
    const account = await makeAccount(db);
    await makeDestination(db, account);
    const answer = await get(`/tag.js?key=${account.tagKey}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      "content-type": "application/javascript; charset=utf-8",
      "cache-control": expect.stringMatching(/^public, max-age=300, stale-while-revalidate=\d+, stale-if-error=\d+$/),
      "cross-origin-resource-policy": "cross-origin",
      "access-control-allow-origin": "*",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
    });
    expect(configIn(answer.body)).toEqual({
      key: account.tagKey,
      revision: 1,
      paused: false,
      numbers: ["+18005550100"],
      slots_only: false,
      discover: false,
      sources: [],
      consent: "assumed",
      visitor_days: 30,
      custom_data: [],
    });
    const config = await get(`/tag/config?key=${account.tagKey}`);
    expect(config.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(config.json()).toEqual(configIn(answer.body));
  });

  it("is compressed as the browser likes, each encoding with an ETag of its own", async () => {
    const { tagKey } = await makeAccount(db);
    const url = `/tag.js?key=${tagKey}`;
    const plain = await get(url, { "accept-encoding": "identity" });
    const br = await get(url, { "accept-encoding": "gzip, deflate, br, zstd" });
    const gz = await get(url, { "accept-encoding": "gzip;q=1.0, br;q=0" });
    expect([plain, br, gz].map(({ headers }) => headers["content-encoding"])).toEqual([undefined, "br", "gzip"]);
    expect(new Set([plain, br, gz].map(({ headers }) => headers.etag)).size).toBe(3);
    expect(brotliDecompressSync(br.rawPayload).toString()).toBe(plain.body);
    expect(gunzipSync(gz.rawPayload).toString()).toBe(plain.body);
    expect(br.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2);
    for (const answer of [plain, br, gz])
      expect(Number(answer.headers["content-length"])).toBe(answer.rawPayload.length);
    const again = await get(url, { "accept-encoding": "br", "if-none-match": `"other", W/${br.headers.etag}` });
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, "", br.headers.etag]);
    expect(again.headers["cache-control"]).toBe(br.headers["cache-control"]);
    expect((await get(url, { "if-none-match": br.headers.etag as string })).statusCode).toBe(200);
  });

  it.each([
    "/tag.js",
    "/tag.js?key=",
    "/tag.js?key=tag_0123456789abcdef0123456789abcdef",
    "/tag.js?key=*/alert(1)/*",
    "/tag.js?key=a&key=b",
  ])("%s is a comment that says what is wrong", async (url) => {
    const answer = await get(url);
    expect([404, 422]).toContain(answer.statusCode);
    expect(answer.headers["content-type"]).toBe("application/javascript; charset=utf-8");
    expect(answer.body).toMatch(/^\/\* Ringmatch: [^*]+ \*\/\n$/);
    expect(answer.body).not.toContain("alert");
  });
});

describe("the immutable file", () => {
  it("is listed with the integrity of its very bytes", async () => {
    const { publishTagFile } = await import("../../src/account/tag-files.store.js");
    await publishTagFile(db, deps.tagFile);
    const [file] = (await get("/tag/files")).json().data as { url: string; version: string; integrity: string }[];
    const answer = await get(new URL(file?.url ?? "").pathname);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "access-control-allow-origin": "*",
    });
    expect(file?.integrity).toBe(`sha384-${createHash("sha384").update(answer.rawPayload).digest("base64")}`);
    expect(configIn(answer.body)).toBeNull();
  });
});
