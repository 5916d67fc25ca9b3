import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { callOut } from "../../src/http/contract/call.js";
import { callColumns, leavesOf, OTHER_COLUMN } from "../../src/http/contract/call-columns.js";
import { Exports } from "../../src/http/export-stream.js";
import { callPages } from "../../src/attribution/exports/call-pages.js";
import { readFieldNames } from "../../src/attribution/exports/call-field-names.store.js";
import { silentLog } from "../../src/kernel/log.js";
import { parseCsv } from "../support/parse-csv.js";
import { nextMillisecond } from "../support/next-millisecond.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";
import { ADMIN_KEY, makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { app, request, keyOf, lines } = makeHttpWorld(db);
const CALLER = "+14155550123";

async function call(number: string): Promise<string> {
  const { ref } = await openCall(
    { db, secrets, ids },
    { call: inboundCall(number), callId: ids.next("call"), late: null },
  );
  return ref.callId;
}

async function matchedCall(
  world: World,
  touch: Record<string, string>,
  customData: Record<string, unknown> = {},
): Promise<string> {
  const [outcome] = await presentBatch(db, [{ ...allocationFor(world), touch, customData }]);
  if (outcome?.kind !== "presented") throw new Error("no number was presented");
  return call(outcome.promoNumber);
}

async function table(url: string, key?: string): Promise<Record<string, string>[]> {
  const response = await request("GET", url, key === undefined ? {} : { key });
  expect(response.statusCode).toBe(200);
  expect(response.headers["content-type"]).toBe("text/csv; charset=utf-8");
  const [head = [], ...cells] = parseCsv(response.body);
  return cells.map((line) => Object.fromEntries(head.map((name, i) => [name, line[i] ?? ""])));
}

const EVERYTHING = {
  accountId: null,
  from: null,
  to: null,
  promoNumber: null,
  poolId: null,
  disposition: null,
  attribution: null,
  updatedSince: null,
};

describe("GET /v1/calls.csv", () => {
  it("has a column for every leaf of the record, and for each field that occurs in what is exported", async () => {
    const world = await makeWorld(db, 3);
    const first = await matchedCall(world, { utm_source: "google", utm_term: '=1+1,"x"' }, { plan: "pro" });
    const second = await matchedCall(world, { gclid: "g-1" }, { seats: 3, nested: { a: [1] } });
    const other = await makeWorld(db, 1);
    await matchedCall(other, { utm_medium: "print" });
    const [b, a, ...rest] = await table(`/v1/calls.csv?account_id=${world.account.id}`);
    expect(rest).toEqual([]);
    const fields = ["attribution.touch.gclid", "attribution.touch.utm_source", "attribution.touch.utm_term"];
    const custom = ["nested", "plan", "seats"].map((name) => `attribution.custom_data.${name}`);
    // Every leaf but those whose fields have columns of their own.
    const fixed = leavesOf(callOut, []).filter(
      ({ path, type }) => type !== "record" || path.join(".") === "attribution.consent",
    );
    const names = Object.keys(a ?? {});
    expect(names.filter((name) => /^attribution\.(touch|custom_data)\./.test(name))).toEqual([...fields, ...custom]);
    expect(names.filter((name) => ![...fields, ...custom, OTHER_COLUMN].includes(name))).toEqual(
      fixed.map(({ path }) => path.join(".")),
    );
    expect(a).toMatchObject({
      id: first,
      "attribution.outcome": "matched",
      "attribution.touch.utm_source": "google",
      "attribution.touch.utm_term": `'=1+1,"x"`,
      "attribution.custom_data.plan": "pro",
      "attribution.touch.gclid": "",
      late: "false",
      attempts: "[]",
      other: "",
    });
    expect(a?.["promo_number"]).toMatch(/^'\+1888/);
    expect(b).toMatchObject({
      id: second,
      "attribution.custom_data.seats": "3",
      "attribution.custom_data.nested": '{"a":[1]}',
    });
  });

  it("fields beyond the columns stand together, and nothing is lost", async () => {
    const world = await makeWorld(db, 1);
    const id = await matchedCall(world, { utm_source: "x", utm_zzz: "y" }, { a: 1 });
    const filter = { ...EVERYTHING, accountId: world.account.id };
    const columns = callColumns(await readFieldNames(db, filter), 1);
    const shown = (await request("GET", `/v1/calls/${id}`)).json();
    const of = (name: string) => columns.find((column) => column.name === name)?.valueOf(shown);
    expect(of("attribution.touch.utm_source")).toBe("x");
    expect(of("attribution.touch.utm_zzz")).toBeUndefined();
    expect(of(OTHER_COLUMN)).toEqual({ "attribution.touch.utm_zzz": "y", "attribution.custom_data.a": 1 });
  });

  it("every leaf of every call is in the table", async () => {
    const columns = callColumns(await readFieldNames(db, EVERYTHING));
    const { data } = (await request("GET", "/v1/calls")).json();
    expect(data.length).toBeGreaterThan(2);
    for (const shown of data) {
      const cells = new Set(columns.map((column) => JSON.stringify(column.valueOf(shown))));
      const missing = (value: unknown): unknown[] =>
        cells.has(JSON.stringify(value))
          ? []
          : value !== null && typeof value === "object" && !Array.isArray(value)
            ? Object.values(value).flatMap(missing)
            : [value];
      expect(missing(shown)).toEqual([]);
    }
  });

  it("an account without calls gets the columns alone", async () => {
    const world = await makeWorld(db, 1);
    const { body } = await request("GET", `/v1/calls.csv?account_id=${world.account.id}`);
    expect(body).toMatch(/^id,call_id,revision,.*,account_id,pool_id,received_at,.*,other\r\n$/);
  });
});

describe("GET /v1/calls.ndjson", () => {
  it("has a line for each call, as the list shows it, with the list's filters", async () => {
    const world = await makeWorld(db, 2);
    const matched = await matchedCall(world, { utm_source: "google" });
    await call(world.numbers[1] ?? "");
    const url = (path: string) => `/v1/calls${path}?account_id=${world.account.id}&attribution=matched`;
    const response = await request("GET", url(".ndjson"));
    expect(response.headers["content-type"]).toBe("application/x-ndjson; charset=utf-8");
    expect(response.headers["content-disposition"]).toBe('attachment; filename="calls.ndjson"');
    const shown = response.body
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string });
    expect(shown.map(({ id }) => id)).toEqual([matched]);
    expect(shown).toEqual((await request("GET", url(""))).json().data);
  });

  it("is for one's own account, refuses what the list refuses, and has no pages", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    await matchedCall(theirs, {});
    const key = await keyOf(mine.account.id, ["read"]);
    expect((await request("GET", "/v1/calls.ndjson", { key })).body).toBe("");
    const foreign = await request("GET", `/v1/calls.ndjson?account_id=${theirs.account.id}`, { key });
    expect(problemIn(foreign).code).toBe("not_found");
    for (const query of ["from=yesterday", "limit=5", "cursor=x"])
      expect(problemIn(await request("GET", `/v1/calls.csv?${query}`)).status).toBe(422);
    expect(problemIn(await request("GET", "/v1/calls.csv", { key: null })).status).toBe(401);
  });

  it("shows callers only with calls:pii, and notes each page that did", async () => {
    const world = await makeWorld(db, 1);
    const id = await matchedCall(world, {});
    const read = async (scopes: Parameters<typeof keyOf>[1]) => {
      lines.length = 0;
      const { body } = await request("GET", "/v1/calls.ndjson", { key: await keyOf(world.account.id, scopes) });
      return JSON.parse(body).caller;
    };
    expect(await read(["read"])).toEqual({ number: null, last4: "0123", name: null });
    expect(lines.filter(({ event }) => event === "pii.revealed")).toEqual([]);
    expect((await read(["read", "calls:pii"])).number).toBe(CALLER);
    expect(lines.filter(({ event }) => event === "pii.revealed").map(({ fields }) => fields["callIds"])).toEqual([
      [id],
    ]);
    expect(JSON.stringify(lines)).not.toContain(CALLER);
  });
});

describe("an export", () => {
  it("reads page by page, each call once, in the list's order, while calls come", async () => {
    const world = await makeWorld(db, 1);
    const made: string[] = [];
    for (let i = 0; i < 7; i++) {
      made.unshift(await call(world.numbers[0] ?? ""));
      await nextMillisecond();
    }
    // Three of one millisecond, across a page's end.
    await rows(db, "update call set received_at = (select received_at from call where id = $2) where id = any($1)", [
      made.slice(2, 5),
      made[3],
    ]);
    const same = made.slice(2, 5).sort().reverse();
    const expected = [...made.slice(0, 2), ...same, ...made.slice(5)];
    const seen: string[] = [];
    for await (const page of callPages(db, { ...EVERYTHING, accountId: world.account.id }, 3)) {
      seen.push(...page.map(({ id }) => id));
      await call(world.numbers[0] ?? "");
    }
    expect(seen).toEqual(expected);
    const names = await readFieldNames(db, { ...EVERYTHING, accountId: world.account.id }, 2);
    expect(names.touch).toEqual([]);
  });

  it("finds the fields of every page", async () => {
    const world = await makeWorld(db, 5);
    for (const name of ["a", "b", "c", "d", "e"]) await matchedCall(world, { [name]: "x" });
    expect((await readFieldNames(db, { ...EVERYTHING, accountId: world.account.id }, 2)).touch).toEqual([
      "a",
      "b",
      "c",
      "d",
      "e",
    ]);
  });

  it("that fails half-way breaks the connection", async () => {
    const exports = new Exports(silentLog);
    async function* failing(): AsyncGenerator<string, void> {
      yield "one\n";
      throw new Error("the database went away");
    }
    const stream = await exports.start(failing(), "req_1");
    const read: string[] = [];
    await expect(
      (async () => {
        for await (const chunk of stream) read.push(String(chunk));
      })(),
    ).rejects.toThrow("went away");
    expect(read.join("")).toBe("one\n");
  });

  it("that cannot begin is a problem like any other, and gives its place back", async () => {
    const exports = new Exports(silentLog, { atOnce: 1, readerIdleMs: 1_000, closingMs: 0 });
    async function* broken(): AsyncGenerator<string, void> {
      throw new Error("no database");
      yield "";
    }
    async function* endless(): AsyncGenerator<string, void> {
      for (;;) yield "x".repeat(100_000);
    }
    await expect(exports.start(broken(), "req_1")).rejects.toThrow("no database");
    const running = await exports.start(endless(), "req_2");
    await expect(exports.start(endless(), "req_3")).rejects.toMatchObject({ code: "overloaded", retryAfterS: 10 });
    running.destroy();
    await new Promise((closed) => running.once("close", closed));
    const next = await exports.start(endless(), "req_4");
    const stopped = new Promise((failed) => next.once("error", failed));
    exports.close();
    expect(await stopped).toMatchObject({ message: "the service is stopping" });
  });

  it("whose reader takes nothing is broken off, and its pages are given back", async () => {
    const exports = new Exports(silentLog, { atOnce: 1, readerIdleMs: 50, closingMs: 0 });
    let isReturned = false;
    async function* endless(): AsyncGenerator<string, void> {
      try {
        for (;;) yield "x".repeat(200_000);
      } finally {
        isReturned = true;
      }
    }
    const stream = await exports.start(endless(), "req_1");
    const failed = new Promise((broken) => stream.once("error", broken));
    stream.read(1);
    expect(await failed).toMatchObject({ message: expect.stringContaining("took nothing") });
    await new Promise((closed) => (stream.closed ? closed(null) : stream.once("close", closed)));
    expect(isReturned).toBe(true);
  });

  it("over a real connection that is slow, then cut, holds no connection of the database", async () => {
    const world = await makeWorld(db, 1);
    const id = await matchedCall(world, { utm_content: "x".repeat(5_000) });
    // More than the buffers of both sides of a socket.
    await rows(
      db,
      `insert into call select (jsonb_populate_record(c, jsonb_build_object('id', c.id || n, 'received_at', c.received_at - make_interval(secs => n)))).*
       from call c cross join generate_series(1, 2000) n where c.id = $1`,
      [id],
    );
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `GET /v1/calls.ndjson?account_id=${world.account.id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN_KEY}\r\n\r\n`,
    );
    const first = await new Promise<string>((got) => socket.once("data", (data) => got(String(data))));
    expect(first).toMatch(/^HTTP\/1.1 200/);
    socket.pause();
    const busy = `select count(*)::int as n from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`;
    // It stands as soon as nothing is asked of the database any more.
    for (let quiet = 0; quiet < 5; ) quiet = (await rows<{ n: number }>(db, busy))[0]?.n === 0 ? quiet + 1 : 0;
    lines.length = 0;
    const cut = new Promise((closed) => socket.once("close", closed));
    socket.destroy();
    await cut;
    const all = (await request("GET", `/v1/calls.ndjson?account_id=${world.account.id}`)).body.trimEnd().split("\n");
    expect(all).toHaveLength(2_001);
    expect(new Set(all.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(2_001);
  });
});

describe("with this machine's clock set back", () => {
  it("exports and reports end at the database's time, and lack nothing", async () => {
    const world = await makeWorld(db, 2);
    const callId = await matchedCall(world, { utm_source: "bing" });
    await nextMillisecond();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 2 * 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    const exported = await request("GET", `/v1/calls.ndjson?account_id=${world.account.id}`);
    expect(exported.body).toContain(callId);
    const { body } = await request("GET", `/v1/reports/calls?account_id=${world.account.id}`);
    expect(JSON.parse(body)).toMatchObject({ data: [{ calls: 1 }] });
  });
});
