import { afterEach, describe, expect, it, vi } from "vitest";
import { type Database, isUnavailable, openDatabase, sql, sqlState, timestamp } from "../../src/db/database.js";
import { Listener } from "../../src/db/listen.js";
import { migrate, refuseOldServer } from "../../src/db/migrate.js";
import { silentLog } from "../../src/kernel/log.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";

const { db, url } = await freshDatabase();

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function proxied(connectionsMax = 2): Promise<{ proxy: CuttableProxy; database: Database }> {
  const proxy = await CuttableProxy.start(url);
  toStop.push(() => proxy.stop());
  const database = openDatabase({ url: proxy.url, log: silentLog, connectionsMax });
  toStop.push(() => database.close());
  return { proxy, database };
}

const unavailable = { code: "database_unavailable", status: 503 };
const ping = sql("test_ping", "select 1 as one");

describe("values", () => {
  it("times come out as milliseconds whatever the session's zone, infinities as such, bigints as numbers", async () => {
    const [row] = await db.transaction(async (tx) => {
      await tx.query({ name: "", text: "set local time zone 'Asia/Kathmandu'" });
      return tx.query({
        name: "",
        text: `select '2026-11-23T12:00:00.123456Z'::timestamptz as t, '-infinity'::timestamptz as past, 'infinity'::timestamptz as future,
                 9007199254740991::bigint as big, null::timestamptz as none`,
      });
    });
    expect(row).toEqual({
      t: Date.parse("2026-11-23T12:00:00.123Z"),
      past: -Infinity,
      future: Infinity,
      big: Number.MAX_SAFE_INTEGER,
      none: null,
    });
    expect(timestamp(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(timestamp(null)).toBeNull();
  });
});

describe("connections", () => {
  afterEach(() => void vi.useRealTimers());

  it("of a rush outlast the lull after it, and some stay for good", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const database = openDatabase({ url, log: silentLog, applicationName: "a rush" });
    toStop.push(() => database.close());
    const held = async (): Promise<number | undefined> => {
      const [row] = await rows<{ n: number }>(
        db,
        "select count(*)::int as n from pg_stat_activity where application_name = 'a rush'",
      );
      return row?.n;
    };
    const rush = () =>
      Promise.all(Array.from({ length: 10 }, () => database.query(sql("test_nap", "select pg_sleep(0.1)"))));
    await rush();
    expect(await held()).toBe(10);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(await held()).toBe(10);
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
    await until("those that are too many are gone", async () => (await held()) === 4);
  });
});

describe("a server that is too old for the schema", () => {
  it("is refused in one sentence, not by the first statement that it does not understand", () => {
    expect(() => refuseOldServer(140_019)).toThrow(/^PostgreSQL 14 is too old; set DATABASE_URL to .* 15 or later\.$/);
    expect(() => refuseOldServer(150_000)).not.toThrow();
  });
});

it("times are read right whatever style the server writes them in", async () => {
  const name = new URL(url).pathname.slice(1);
  await db.query({ name: "", text: `alter database "${name}" set datestyle to 'SQL, DMY'` });
  const database = openDatabase({ url, log: silentLog });
  toStop.push(() => database.close());
  const asked = { name: "", text: "select '2026-02-01T00:00:00Z'::timestamptz as at" };
  expect(await database.query(asked)).toEqual([{ at: Date.UTC(2026, 1, 1) }]);
});

describe("the JIT compiler", () => {
  const asked = { name: "", text: "select current_setting('jit') as jit, current_setting('work_mem') as memory" };

  it("is off on every connection, since hints make each plan look worth compiling; the URL's own options hold too", async () => {
    const place = new URL(url);
    place.searchParams.set("options", "-c work_mem=7MB");
    const database = openDatabase({ url: place.href, log: silentLog });
    toStop.push(() => database.close());
    const alone = await database.connect();
    toStop.push(() => alone.end());
    const off = { jit: "off", memory: "7MB" };
    expect([await database.query(asked), (await alone.query(asked)).rows]).toEqual([[off], [off]]);
    expect(await db.query(asked)).toMatchObject([{ jit: "off" }]);
  });
});

describe("transactions", () => {
  it("are rolled back when the work throws, and the connection goes on with its prepared statements", async () => {
    const { database } = await proxied(1);
    await database.query(sql("test_table", "create table if not exists test_thing (n int primary key)"));
    const insert = sql("test_insert", "insert into test_thing values ($1)");
    await database.query(insert, [1]);
    const work = database.transaction(async (tx) => {
      await tx.query(insert, [2]);
      await tx.query(insert, [1]);
    });
    await expect(work).rejects.toMatchObject({ code: "23505" });
    expect(await rows(db, "select n from test_thing")).toEqual([{ n: 1 }]);
    const prepared = await database.query({
      name: "",
      text: "select name from pg_prepared_statements where name = 'test_insert'",
    });
    expect(prepared).toHaveLength(1);
  });
});

describe("faults", () => {
  it("what the database refuses keeps its SQLSTATE and is not unavailable", async () => {
    const refused = await db.query({ name: "", text: "select 1 / 0" }).catch((error: unknown) => error);
    expect(sqlState(refused)).toBe("22012");
    expect(isUnavailable(refused)).toBe(false);
  });

  it.each([
    ["no such database", (place: URL) => (place.pathname = "/nowhere")],
    ["no such user", (place: URL) => (place.username = "nobody")],
  ])("%s: one sentence says where to look", async (_what, spoil) => {
    const place = new URL(url);
    spoil(place);
    const database = openDatabase({ url: place.href, log: silentLog });
    toStop.push(() => database.close());
    const message = expect.stringMatching(
      /^PostgreSQL refuses the connection \(.+\); check user, password and database/,
    );
    await expect(database.query(ping)).rejects.toMatchObject({ ...unavailable, message });
  });

  it("a server that is not there is unavailable", async () => {
    const { proxy, database } = await proxied();
    proxy.cut();
    await expect(database.query(ping)).rejects.toMatchObject(unavailable);
    await expect(database.connect()).rejects.toMatchObject(unavailable);
  });

  it("a connection lost in the middle of a statement or between two is unavailable, and the next one is new", async () => {
    const { proxy, database } = await proxied();
    const sleeping = database.query({ name: "", text: "select pg_sleep(10)" });
    await until(
      "the statement runs",
      async () => (await rows(db, "select 1 from pg_stat_activity where query = 'select pg_sleep(10)'")).length > 0,
    );
    proxy.cut();
    await expect(sleeping).rejects.toMatchObject(unavailable);
    proxy.restore();
    const between = database.transaction(async (tx) => {
      await tx.query(ping);
      proxy.cut();
      await new Promise((resolve) => setImmediate(resolve));
      await tx.query(ping);
    });
    await expect(between).rejects.toMatchObject(unavailable);
    proxy.restore();
    expect(await database.query(ping)).toEqual([{ one: 1 }]);
  });

  it("a session ended by the server is unavailable", async () => {
    const { database } = await proxied(1);
    const [session] = await database.query<{ pid: number }>({ name: "", text: "select pg_backend_pid() as pid" });
    // Expected at once: the session may end before the answer to our own statement is read.
    const refused = expect(database.query({ name: "", text: "select pg_sleep(9)" })).rejects.toMatchObject(unavailable);
    await until(
      "the statement runs",
      async () => (await rows(db, "select 1 from pg_stat_activity where query = 'select pg_sleep(9)'")).length > 0,
    );
    await rows(db, "select pg_terminate_backend($1)", [session?.pid]);
    await refused;
  });

  it("a statement that takes too long is ended by the server, and is not taken for an outage", async () => {
    const { database } = await proxied(1);
    await database.query({ name: "", text: "set statement_timeout = 50" });
    const slow = await database.query({ name: "", text: "select pg_sleep(5)" }).catch((error: unknown) => error);
    expect(sqlState(slow)).toBe("57014");
    expect(isUnavailable(slow)).toBe(false);
  });
});

describe("Listener", () => {
  it("hears notifications, and after a lost connection is told to read everything", async () => {
    const { proxy, database } = await proxied();
    const heard: (string | null)[] = [];
    const listener = new Listener({
      database,
      channel: "test_channel",
      log: silentLog,
      onChange: (payload) => heard.push(payload),
    });
    await listener.start();
    toStop.push(() => listener.stop());
    expect(heard).toEqual([null]);
    await rows(db, "select pg_notify('test_channel', 'one')");
    await until("2 are heard", () => heard.length === 2);
    proxy.cut();
    await rows(db, "select pg_notify('test_channel', 'lost')");
    proxy.restore();
    await until("3 are heard", () => heard.length === 3);
    await rows(db, "select pg_notify('test_channel', 'two')");
    await until("4 are heard", () => heard.length === 4);
    expect(heard).toEqual([null, "one", null, "two"]);
  });
});

describe("migrate", () => {
  it("does nothing the second time, and of three processes at once one migrates while the others wait", async () => {
    expect(await migrate({ database: db, log: silentLog })).toEqual([]);
    const server = new URL(url);
    const name = `${server.pathname.slice(1)}_empty`;
    await rows(db, `create database ${name}`);
    server.pathname = `/${name}`;
    const empty = openDatabase({ url: server.href, log: silentLog });
    toStop.push(async () => {
      await empty.close();
      await rows(db, `drop database ${name} with (force)`);
    });
    const ran = await Promise.all([1, 2, 3].map(() => migrate({ database: empty, log: silentLog })));
    const counts = ran.map((names) => names.length).sort((a, b) => a - b);
    expect(counts.slice(0, 2)).toEqual([0, 0]);
    expect(counts[2]).toBeGreaterThan(7);
    expect(await migrate({ database: empty, log: silentLog })).toEqual([]);
  });

  it("refuses a database that a later version has migrated, until it is as it was", async () => {
    await rows(db, "insert into schema_migration (name, run_on) values ('9999_of_the_future', now())");
    await expect(migrate({ database: db, log: silentLog })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/later version \(9999_of_the_future\)/) as string,
    });
    await rows(db, "delete from schema_migration where name = '9999_of_the_future'");
    expect(await migrate({ database: db, log: silentLog })).toEqual([]);
  });
});
