/** A server over a real database, and a client that speaks to it; every answer is held against the schema that documents it. */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import { Registry } from "prom-client";
import { afterAll, expect } from "vitest";
import { z } from "zod";
import { createApiKey, hashKey, type Scope } from "../../../src/account/api-keys.store.js";
import { tagFileOf } from "../../../src/account/tag-file.js";
import { createTargetGuard } from "../../../src/account/outgoing/target-guard.js";
import type { Database } from "../../../src/db/database.js";
import type { HttpDeps } from "../../../src/http/http-deps.js";
import { buildHttpServer } from "../../../src/http/server.js";
import { systemClock } from "../../../src/kernel/clock.js";
import { silentLog } from "../../../src/kernel/log.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { AllocationBatch } from "../../../src/pool/allocation-batch.js";
import type { Carriers } from "../../../src/pool/carrier-inventory/carriers.js";
import { Directory } from "../../../src/pool/directory.js";
import { type LogLine, logTo } from "../../support/recording-log.js";
import { ids, RecordingSchedule, secrets } from "../../support/world.js";

export const ADMIN_KEY = "admin-key-for-tests-only-0123456789";

export interface HttpWorld {
  readonly app: FastifyInstance;
  readonly deps: HttpDeps;
  readonly schedule: RecordingSchedule;
  readonly lines: LogLine[];
  /** As the admin unless `key` says otherwise; `key: null` sends none. */
  request(method: Method, url: string, options?: RequestOptions): Promise<LightMyRequestResponse>;
  /** A key of one account. */
  keyOf(accountId: string | null, scopes: readonly Scope[]): Promise<string>;
}

type Method = NonNullable<Extract<InjectOptions["method"], string>>;

export interface RequestOptions {
  readonly body?: unknown;
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
  readonly remoteAddress?: string;
}

/** What it delivers is tested with it; what it does, with the real one. */
export const STAND_IN_TAG = tagFileOf({
  version: "0.0.1",
  text: `function(c){globalThis.tag=c;/* ${"longer than a packet ".repeat(100)}*/}`,
});

/** Nobody sells to us. */
const noCarriers: Carriers = { choose: async () => null, open: async () => null, accounts: async () => [] };

/** For tests of other things. */
export const notFetched: HttpDeps["outgoing"]["fetchPage"] = async () => ({
  kind: "refused",
  message: "is not fetched in this test",
});

export function makeHttpWorld(db: Database, changes: Partial<HttpDeps> = {}): HttpWorld {
  const lines: LogLine[] = [];
  const schedule = new RecordingSchedule();
  const deps: HttpDeps = {
    db,
    directory: new Directory(db),
    batch: new AllocationBatch({ db, clock: systemClock, log: silentLog }),
    ids,
    random: systemRandom,
    secrets,
    clock: systemClock,
    log: logTo((line) => lines.push(line)),
    schedule,
    carriers: noCarriers,
    exhaustions: { note: () => {} },
    outgoing: {
      guard: createTargetGuard([]),
      soon: () => {},
      statusOf: async () => ({ kind: "unknown", error: "timeout" }),
      fetchPage: notFetched,
    },
    scaling: { canBuy: false, soon: () => {}, decided: () => {} },
    adminKeyHash: hashKey(ADMIN_KEY),
    readiness: async () => ({ ready: true, checks: { postgres: true } }),
    isDraining: () => false,
    metrics: new Registry(),
    embedded: false,
    presentTrustedCidrs: ["127.0.0.0/8", "::1/128"],
    publicBaseUrl: null,
    tagFile: STAND_IN_TAG,
    fallbackBaseUrl: null,
    plugins: [],
    onTrunksChanged: () => {},
    ...changes,
  };
  const app = buildHttpServer(deps);
  holdAnswersAgainstSchemas(app);
  afterAll(() => app.close());
  return {
    app,
    deps,
    schedule,
    lines,
    request: (method, url, options = {}) => inject(app, method, url, options),
    keyOf: async (accountId, scopes) => {
      const { key } = await createApiKey({ db, ids, random: systemRandom }, { accountId, name: "test", scopes });
      return key;
    },
  };
}

async function inject(app: FastifyInstance, method: Method, url: string, options: RequestOptions) {
  const { body, key = ADMIN_KEY, headers = {}, remoteAddress = "127.0.0.1" } = options;
  const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
  const contentType = body === undefined ? {} : { "content-type": "application/json" };
  const payload = body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) };
  return app.inject({
    method,
    url,
    remoteAddress,
    headers: { "user-agent": BROWSER, ...authorization, ...contentType, ...headers },
    ...payload,
  });
}

export const BROWSER =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/** What leaves is what is documented, no field more. */
function holdAnswersAgainstSchemas(app: FastifyInstance): void {
  app.addHook("preSerialization", async (request, reply, payload) => {
    const responses = request.routeOptions.schema?.response as Record<number, unknown> | undefined;
    const schema = responses?.[reply.statusCode];
    if (schema instanceof z.ZodType) expect(schema.parse(payload)).toEqual(payload);
    return payload;
  });
}

/** The problem of an answer, after checking that it is one. */
export function problemIn(response: LightMyRequestResponse): {
  status: number;
  code: string;
  title: string;
  detail: string;
  errors?: { path: string; message: string }[];
} {
  expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
  const problem = response.json();
  expect(problem.status).toBe(response.statusCode);
  expect(problem).toMatchObject({ type: expect.any(String), title: expect.any(String), detail: expect.any(String) });
  return problem;
}
