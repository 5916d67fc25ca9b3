import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db } = await freshDatabase();
const routes: { method: string; path: string }[] = [];
const { app, request } = makeHttpWorld(db, { publicBaseUrl: "https://calls.example.com" });
app.addHook("onRoute", ({ method, url, schema }) => {
  const isHidden = (schema as { hide?: boolean } | undefined)?.hide === true;
  for (const one of [method].flat()) {
    const path = url.replace(/:(\w+)/g, "{$1}");
    if (!isHidden && one !== "HEAD") routes.push({ method: one.toLowerCase(), path });
  }
});
await app.ready();
const document = (await request("GET", "/openapi.json", { key: null })).json();

interface Operation {
  summary?: string;
  security?: unknown;
  description?: string;
  responses: Record<string, { content?: Record<string, unknown> }>;
}

describe("/openapi.json", () => {
  it("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate(document);
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe("3.1.0");
    expect(document.servers).toEqual([{ url: "https://calls.example.com" }]);
  });

  it("has every route of the app", () => {
    expect(routes.length).toBeGreaterThan(30);
    for (const { method, path } of routes) {
      expect([method, path, Object.keys(document.paths[path] ?? {})]).toEqual([
        method,
        path,
        expect.arrayContaining([method]),
      ]);
    }
  });

  it("every operation says what it does, what it needs and how it fails", () => {
    for (const [path, operations] of Object.entries(document.paths as Record<string, Record<string, Operation>>)) {
      for (const [method, operation] of Object.entries(operations)) {
        const name = `${method} ${path}`;
        expect([name, operation.summary]).toEqual([name, expect.any(String)]);
        const isPublic = !path.startsWith("/v1/") || (path.startsWith("/v1/presentations") && method !== "get");
        expect([name, operation.security]).toEqual([name, isPublic ? undefined : [{ key: [] }]]);
        if (!isPublic) expect(operation.description).toContain("Scope:");
        if (path.startsWith("/v1/")) {
          expect([name, Object.keys(operation.responses["4XX"]?.content ?? {})]).toEqual([
            name,
            ["application/problem+json"],
          ]);
        }
      }
    }
  });

  it.each([
    ["OPTIONS", "/v1/presentations", "/v1/presentations"],
    ["OPTIONS", "/v1/presentations/renew", "/v1/presentations/renew"],
    ["GET", "/tag.js", "/tag.js?key=tag_none"],
    ["GET", "/tag/config", "/tag/config?key=tag_none"],
    ["GET", "/tag/{file}", "/tag/0.0.1-none.js"],
    ["POST", "/v1/presentations", "/v1/presentations"],
  ] as const)("has the status and the content type that %s %s answers %s with", async (method, path, url) => {
    const answer = await request(method, url, { key: null });
    const { responses } = document.paths[path][method.toLowerCase()] as Operation;
    const documented = responses[answer.statusCode] ?? responses[`${Math.floor(answer.statusCode / 100)}XX`];
    const type = String(answer.headers["content-type"] ?? "").split(";", 1)[0];
    expect([answer.statusCode, Object.keys(documented?.content ?? {})]).toEqual([
      answer.statusCode,
      answer.body === "" ? [] : [type],
    ]);
  });

  it("knows the limits that requests are checked with", () => {
    const body = document.paths["/v1/pools"].post.requestBody.content["application/json"].schema;
    expect(body).toMatchObject({
      additionalProperties: false,
      required: ["name", "kind", "destination_number"],
      properties: { retention_s: { minimum: 1, maximum: 259_200, default: 259_200 }, max_size: { default: 2 } },
    });
    const present = document.paths["/v1/presentations"].post.requestBody.content;
    expect(Object.keys(present)).toEqual(["application/json", "text/plain"]);
    expect(
      document.paths["/v1/carriers/{carrier}"].put.requestBody.content["application/json"].schema.anyOf,
    ).toHaveLength(7);
  });
});

describe("/docs", () => {
  it("is a page with assets of its own", async () => {
    const page = await request("GET", "/docs", { key: null });
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? "");
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) {
      expect(asset).toMatch(/^\/docs\//);
      expect((await request("GET", asset, { key: null })).statusCode).toBe(200);
    }
    expect(page.headers["content-security-policy"]).toContain("default-src 'self'");
  });
});
