/** The page fetcher over HTTP: a hostile site on loopback, and a guard that lets exactly that through. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { createTargetGuard } from "../../src/account/outgoing/target-guard.js";
import { createPageFetching } from "../../src/service/page-fetching.js";
import { fetchPage, isUsualPage } from "../../src/webhooks/outbound/fetch-page.js";
import { createGuardedAgent } from "../../src/webhooks/outbound/guarded-agent.js";
import { freshDatabase } from "../support/database.js";
import { makeAccount } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

let reply: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
const seen: IncomingMessage[] = [];
const site = createServer((request, response) => {
  seen.push(request);
  reply(request, response);
});
await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
const siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
afterAll(() => new Promise((resolve) => (site.closeAllConnections(), site.close(resolve))));

const { db } = await freshDatabase();
const fetching = createPageFetching([]);
afterAll(() => fetching.close());
const outgoing = {
  guard: createTargetGuard([]),
  soon: () => {},
  statusOf: async () => ({ kind: "unknown", error: "timeout" }) as const,
  fetchPage: fetching.fetchPage,
};
const embedded = makeHttpWorld(db, { embedded: true, outgoing });
const elsewhere = makeHttpWorld(db, { embedded: false, outgoing });

const html =
  (body: string, headers: Record<string, string> = {}): typeof reply =>
  (_request, response) =>
    void response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers }).end(body);

async function ask(url: string, world = embedded, key?: string) {
  return world.request("POST", "/v1/tag/fetch_page", { body: { url }, ...(key === undefined ? {} : { key }) });
}

describe("a page", () => {
  it("is handed back with its address, status and policy, and asked for without anything of ours", async () => {
    reply = html("<p>Küche (800) 555-0100</p>", { "content-security-policy": "default-src 'self'" });
    const answer = await ask(`${siteUrl}/shop?utm_source=x`);
    expect(answer.json()).toEqual({
      url: `${siteUrl}/shop?utm_source=x`,
      status: 200,
      html: "<p>Küche (800) 555-0100</p>",
      headers: { "content-security-policy": "default-src 'self'" },
    });
    expect(seen.at(-1)?.headers).not.toHaveProperty("authorization");
    expect(seen.at(-1)?.headers).not.toHaveProperty("cookie");
  });

  it("that is an error page is one too", async () => {
    reply = (_request, response) => void response.writeHead(404, { "content-type": "text/html" }).end("gone");
    expect((await ask(siteUrl)).json()).toMatchObject({ status: 404, html: "gone" });
  });

  it("is read in its own charset", async () => {
    reply = (_request, response) =>
      void response
        .writeHead(200, { "content-type": "text/html" })
        .end(Buffer.from("<meta charset=latin1>caf\xe9", "latin1"));
    expect((await ask(siteUrl)).json()).toMatchObject({ html: "<meta charset=latin1>café" });
  });

  it("is followed through redirects, relative ones too", async () => {
    reply = (request, response) =>
      request.url === "/b" ? html("there")(request, response) : void response.writeHead(302, { location: "/b" }).end();
    expect((await ask(`${siteUrl}/a`)).json()).toMatchObject({ url: `${siteUrl}/b`, html: "there" });
  });
});

describe("what is not fetched", () => {
  const refusals: readonly (readonly [string, typeof reply, string])[] = [
    ["no HTML", (_q, r) => void r.writeHead(200, { "content-type": "application/json" }).end("{}"), "is no HTML"],
    ["no type at all", (_q, r) => void r.writeHead(200).end("<p>"), "is no HTML"],
    ["two megabytes and one byte", html("x".repeat(2_097_153)), "is longer than 2097152 bytes"],
    ["a redirect to itself", (_q, r) => void r.writeHead(301, { location: "/" }).end(), "redirects more than 5 times"],
    [
      "a redirect to no URL",
      (_q, r) => void r.writeHead(301, { location: "http://[" }).end(),
      "redirects to what is no URL",
    ],
    [
      "a redirect to a file",
      (_q, r) => void r.writeHead(301, { location: "file:///etc/passwd" }).end(),
      "must be http or https",
    ],
    [
      "a redirect to a cloud's metadata",
      (_q, r) => void r.writeHead(301, { location: "http://169.254.169.254/" }).end(),
      "not fetched from",
    ],
    [
      "a redirect into a private network",
      (_q, r) => void r.writeHead(301, { location: "http://10.0.0.1/" }).end(),
      "not fetched from",
    ],
    ["a connection that is closed", (_q, r) => void r.destroy(), "closed the connection"],
  ];
  it.each(refusals)("%s", async (_what, answer, words) => {
    reply = answer;
    const problem = problemIn(await ask(siteUrl));
    expect(problem).toMatchObject({ status: 422, code: "invalid_value", errors: [{ path: "url" }] });
    expect(problem.detail).toContain(words);
  });

  it("loopback, where the service is not embedded or the key is an account's", async () => {
    reply = html("inside");
    const before = seen.length;
    const account = await makeAccount(db);
    const ofAccount = await embedded.keyOf(account.id, ["read", "write"]);
    for (const answer of [await ask(siteUrl, elsewhere), await ask(siteUrl, embedded, ofAccount)]) {
      expect(problemIn(answer).detail).toContain("not fetched from");
    }
    expect(seen).toHaveLength(before);
  });

  it.each(["ftp://example.com/", "nonsense", "https://user:secret@example.com/", "http://192.0.1.1:25/"])(
    "%s",
    async (url) => {
      expect(problemIn(await ask(url))).toMatchObject({ status: 422, errors: [{ path: "url" }] });
    },
  );

  it("with a key that may only read", async () => {
    const account = await makeAccount(db);
    const reads = await embedded.keyOf(account.id, ["read"]);
    expect(problemIn(await ask("https://example.com/", embedded, reads)).status).toBe(403);
  });

  it("a site that accepts and says nothing", async () => {
    reply = () => undefined;
    const agent = createGuardedAgent({
      guard: createTargetGuard(["127.0.0.1/32"]),
      connectTimeoutMs: 500,
      isUsual: isUsualPage,
    });
    expect(await fetchPage({ agent, timeoutMs: 50 }, { url: siteUrl })).toEqual({
      kind: "refused",
      message: "did not answer in time",
    });
    await agent.close();
  });

  it("a fifth page while four are on their way", async () => {
    let isReached: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (isReached = resolve));
    const waiting: ServerResponse[] = [];
    reply = (_request, response) => void (waiting.push(response) === 4 ? isReached() : undefined);
    const four = Array.from({ length: 4 }, () => ask(siteUrl));
    await reached;
    expect(problemIn(await ask(siteUrl))).toMatchObject({ status: 503, code: "overloaded" });
    for (const response of waiting) response.writeHead(200, { "content-type": "text/html" }).end("late");
    for (const answer of await Promise.all(four)) expect(answer.json()).toMatchObject({ html: "late" });
  });
});

it("public pages over http are allowed on usual ports only", () => {
  expect(
    ["http://a.example/", "http://a.example:8080/", "https://a.example/", "https://a.example:8443/"].every((url) =>
      isUsualPage(new URL(url)),
    ),
  ).toBe(true);
  expect(["http://a.example:6379/", "https://a.example:25/"].some((url) => isUsualPage(new URL(url)))).toBe(false);
});
