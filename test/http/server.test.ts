import { connect, type Socket } from "node:net";
import { once } from "node:events";
import type { FastifyPluginAsync } from "fastify";
import { describe, expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { makeWorld } from "../support/world.js";
import { ADMIN_KEY, makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();

/** What a peer answers to raw bytes, until it closes. */
async function rawExchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(bytes);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  await once(socket, "close");
  return answer;
}

describe("health", () => {
  it("is not ready while draining, and serves on", async () => {
    let isDraining = false;
    const { request, deps } = makeHttpWorld(db, { isDraining: () => isDraining });
    expect((await request("GET", "/readyz", { key: null })).json()).toEqual({
      ready: true,
      draining: false,
      checks: { postgres: true },
    });
    isDraining = true;
    const draining = await request("GET", "/readyz", { key: null });
    expect(draining.statusCode).toBe(503);
    expect(draining.json()).toMatchObject({ ready: false, draining: true });
    const { account } = await makeWorld(db, 1);
    const body = { tag_key: account.tagKey, numbers: ["+18005550100"], page: { url: "" } };
    const presented = await request("POST", "/v1/presentations", { key: null, body });
    expect(presented.json().presentations[0].outcome).toBe("presented");
    expect(deps.batch.waiting).toBe(0);
  });

  it("a readiness check that fails is a problem, not a crash", async () => {
    const { request } = makeHttpWorld(db, {
      readiness: async () => {
        throw new Error("broken check");
      },
    });
    expect(problemIn(await request("GET", "/readyz", { key: null })).status).toBe(500);
    expect((await request("GET", "/healthz", { key: null })).statusCode).toBe(200);
  });
});

describe("metrics", () => {
  it("count requests by route, never by what is in the path", async () => {
    const { request } = makeHttpWorld(db);
    await request("GET", "/v1/numbers/+18889999999");
    await request("GET", "/nowhere/+14155550123");
    const text = (await request("GET", "/metrics", { key: null })).body;
    expect(text).toContain(
      'ringmatch_http_request_duration_seconds_count{method="GET",route="/v1/numbers/:number",status="404"} 1',
    );
    expect(text).toContain('route="unmatched",status="404"} 1');
    expect(text).toContain("ringmatch_allocations_waiting 0");
    expect(text).not.toMatch(/\+1\d{10}/);
  });
});

describe("the access log", () => {
  it("has one line a request, without query strings, bodies or keys", async () => {
    const plugin: FastifyPluginAsync = async (scope) => {
      scope.get("/webhooks/test/voice", () => "ok");
    };
    const { request, lines } = makeHttpWorld(db, { plugins: [plugin] });
    const { account } = await makeWorld(db, 1);
    const body = { tag_key: account.tagKey, numbers: ["+14155550123"], page: { url: "https://secret.example/" } };
    const sent = [
      await request("GET", "/webhooks/test/voice?from=%2B14155550123", { key: null }),
      await request("POST", "/v1/presentations?x=+14155550123", { key: null, body }),
      await request("GET", "/v1/calls?promo_number=%2B14155550123"),
      await request("GET", "/nothing?caller=14155550123"),
    ];
    const logged = lines.filter(({ event }) => event === "http.request");
    expect(logged.map(({ fields }) => [fields["path"], fields["status"]])).toEqual([
      ["/webhooks/test/voice", 200],
      ["/v1/presentations", 200],
      ["/v1/calls", 200],
      ["/nothing", 404],
    ]);
    expect(logged.map(({ fields }) => fields["requestId"])).toEqual(
      sent.map((response) => response.headers["x-request-id"]),
    );
    expect(logged[2]?.fields["keyId"]).toBe("admin");
    expect(JSON.stringify(lines)).not.toMatch(/4155550123|secret\.example|admin-key/);
  });
});

describe("plugins", () => {
  it("live in a scope of their own: no key asked for, their own parsers, our problems", async () => {
    const { request } = makeHttpWorld(db, {
      plugins: [
        async (scope) => {
          scope.removeAllContentTypeParsers();
          scope.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
          scope.post("/webhooks/raw", (hook) => ({ got: hook.body }));
          scope.post("/webhooks/broken", () => {
            throw new Error("secret detail");
          });
        },
      ],
    });
    const raw = await request("POST", "/webhooks/raw", {
      key: null,
      body: "a=\\u0000",
      headers: { "content-type": "x/y" },
    });
    expect(raw.json()).toEqual({ got: "a=\\u0000" });
    const broken = await request("POST", "/webhooks/broken", { key: null, body: "{}" });
    expect(problemIn(broken)).toMatchObject({ status: 500, code: "internal" });
    expect(broken.body).not.toContain("secret detail");
  });
});

describe("a listening server", () => {
  it("finishes a running request when it closes", async () => {
    const { app, deps } = makeHttpWorld(db);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let isLocked = (): void => {};
    const locked = new Promise<void>((resolve) => (isLocked = resolve));
    const holding = deps.db.transaction(async (tx) => {
      await tx.query({ name: "", text: "lock table account in access exclusive mode" });
      isLocked();
      await held;
    });
    await locked;
    const arrived = once(app.server, "request");
    const running = fetch(`http://127.0.0.1:${port}/v1/accounts`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    await arrived;
    const closing = app.close();
    letGo();
    await holding;
    expect((await running).status).toBe(200);
    await closing;
    expect((await running).headers.get("connection")).toBe("close");
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  it("answers bytes that are no HTTP with a problem, and lives", async () => {
    const { app } = makeHttpWorld(db);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    const garbage = await rawExchange(port, "INVITE sip:a@b SIP/2.0\r\n\r\n");
    expect(garbage).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(garbage.split("\r\n\r\n")[1] ?? "")).toMatchObject({ status: 400, code: "unreadable_body" });
    const long = await rawExchange(port, `GET / HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(20_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431 /);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  it("lets go of whoever sends half a request, soon after its time is over", async () => {
    const { app } = makeHttpWorld(db);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    expect([app.server.requestTimeout, app.server.headersTimeout]).toEqual([30_000, 30_000]);
    // The same, sooner.
    Object.assign(app.server, { requestTimeout: 100, headersTimeout: 100 });
    const since = performance.now();
    const head =
      "POST /v1/presentations HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n";
    for (const half of [head, `${head}\r\n{`]) expect(await rawExchange(port, half)).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - since).toBeLessThan(20_000);
  });

  it("lets go of whoever asks for much and reads none of it", async () => {
    const { app } = makeHttpWorld(db);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    expect(app.server.timeout).toBe(120_000);
    // The same, sooner.
    app.server.timeout = 300;
    const accepted = once(app.server, "connection") as Promise<[Socket]>;
    const reader = connect(port, "127.0.0.1").pause();
    // More than the kernel takes for both sides.
    reader.write("GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(60));
    const [held] = await accepted;
    await once(held, "close");
    expect(held.bytesWritten).toBeGreaterThan(0);
    reader.destroy();
  });
});

describe("presenting over a socket", () => {
  it("gives many visitors at once a number each, no two the same", async () => {
    const { app } = makeHttpWorld(db);
    const world = await makeWorld(db, 50);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as { port: number };
    const body = JSON.stringify({ tag_key: world.account.tagKey, numbers: ["+18005550100"], page: { url: "" } });
    const answers = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/v1/presentations`, { method: "POST", body });
        return ((await response.json()) as { presentations: { outcome: string; promo_number: string }[] })
          .presentations[0];
      }),
    );
    const presented = answers.filter((answer) => answer?.outcome === "presented");
    expect(presented).toHaveLength(50);
    expect(new Set(presented.map((answer) => answer?.promo_number)).size).toBe(50);
    expect(answers.filter((answer) => answer?.outcome === "original")).toHaveLength(10);
  });
});
