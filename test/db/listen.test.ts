/** LISTEN over a connection that goes, with or without a word. */
import { afterAll, expect, it } from "vitest";
import { openDatabase, sql } from "../../src/db/database.js";
import { Listener } from "../../src/db/listen.js";
import { silentLog } from "../../src/kernel/log.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase } from "../support/database.js";
import { until } from "../support/until.js";

const { db, url } = await freshDatabase();
const proxy = await CuttableProxy.start(url);
const throughProxy = openDatabase({ url: proxy.url, log: silentLog });
afterAll(async () => {
  await throughProxy.close();
  await proxy.stop();
});

const NOTIFY = sql("test_notify", "select pg_notify('test_listen', $1)");

async function listening() {
  const heard: (string | null)[] = [];
  const listener = new Listener({
    database: throughProxy,
    channel: "test_listen",
    log: silentLog,
    onChange: (payload) => heard.push(payload),
  });
  await listener.start();
  expect(heard).toEqual([null]);
  return { heard, listener };
}

it.each(["cut", "forget"] as const)("(%s) asks for everything and listens again", { timeout: 30_000 }, async (how) => {
  const { heard, listener } = await listening();
  proxy[how]();
  if (how === "cut") proxy.restore();
  await until("everything is asked for", () => heard.length === 2, 15_000);
  expect(heard).toEqual([null, null]);
  await db.query(NOTIFY, ["changed"]);
  await until("a change is heard of", () => heard.at(-1) === "changed");
  await listener.stop();
});

it("stops although the server says nothing any more", async () => {
  const { listener } = await listening();
  proxy.hang();
  await listener.stop();
  proxy.restore();
});
