import { afterAll, expect, it } from "vitest";
import { databaseNow } from "../../src/db/database-now.js";
import type { Database } from "../../src/db/database.js";
import { closeFormerLife } from "../../src/jobs/housekeeping.js";
import { purge } from "../../src/jobs/purge.js";
import { silentLog } from "../../src/kernel/log.js";
import { openCall } from "../../src/routing/open-call.js";
import { openLateCalls } from "../../src/routing/open-late-calls.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { startRouting } from "../support/routing.js";
import { allocationFor, ids, inboundCall, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const routing = await startRouting(db);
afterAll(() => routing.stop());

it("closes what a node's former life left open, and only that", async () => {
  const world = await makeWorld(db, 1);
  await presentBatch(db, [allocationFor(world)]);
  const number = world.numbers[0] as string;
  const open = async (node: string) => {
    const call = { ...inboundCall(number), ingressKey: `sip:loopback:${node}`, node };
    return (await openCall(routing.deps, { call, callId: ids.next("call"), late: null })).ref.callId;
  };
  const [mine, other] = [await open("mine"), await open("other")];
  const deps = { db, callLog: routing.callLog, log: silentLog };
  expect(await closeFormerLife(deps, { node: "mine", before: await databaseNow(db) })).toBe(1);
  const statusOf = async (id: string) =>
    (
      await rows(
        db,
        "select status, hangup_cause, released_by, ended_at is not null as ended from call where id = $1",
        [id],
      )
    )[0];
  expect(await statusOf(mine)).toEqual({
    status: "failed",
    hangup_cause: "ended_unknown",
    released_by: "system",
    ended: true,
  });
  expect(await statusOf(other)).toMatchObject({ status: "ringing", ended: false });
});

it("closes all of them, however many, and none of the present life", async () => {
  const world = await makeWorld(db, 1);
  const number = world.numbers[0] as string;
  const open = (names: readonly string[], receivedAt: number) =>
    openLateCalls(
      routing.deps,
      names.map((name) => ({
        call: { ...inboundCall(number), ingressKey: `sip:loopback:${name}`, node: "busy" },
        callId: ids.next("call"),
        receivedAt,
        events: [],
      })),
    );
  const before = await databaseNow(db);
  await open(
    Array.from({ length: 520 }, (_, n) => `busy-${n}`),
    before - 1,
  );
  await open(["busy-now"], before);
  const deps = { db, callLog: routing.callLog, log: silentLog };
  expect(await closeFormerLife(deps, { node: "busy", before })).toBe(520);
  const left = await rows(db, "select received_at from call where node = 'busy' and status = 'ringing'");
  expect(left).toEqual([{ received_at: before }]);
});

it("removes in batches what is old, all of it, and nothing else", async () => {
  const deliveries = (count: number, age: string) =>
    rows(
      db,
      `insert into webhook_delivery (carrier, delivery_key, content_type, answer, received_at)
       select 'twilio', $1 || i, 'text/xml', '', now() - $1::interval from generate_series(1, $2::int) i`,
      [age, count],
    );
  const count = async () => (await rows<{ left: number }>(db, "select count(*)::int as left from webhook_delivery"))[0];
  await deliveries(25, "8 days");
  await deliveries(3, "6 days");
  await rows(
    db,
    `insert into bot_hour (account_id, reason, hour, requests, withheld, withheld_lock_s)
     select id, 'invisible', now() - interval '2 years', 1, 0, 0 from account`,
  );
  const statements: string[] = [];
  const watched: Database = {
    ...db,
    query: (query, values) => {
      statements.push(query.name);
      return db.query(query, values);
    },
  };
  await purge(watched, { signal: new AbortController().signal, atOnce: 10 });
  expect(await count()).toEqual({ left: 3 });
  expect(statements.filter((name) => name === "housekeeping_deliveries")).toHaveLength(3);
  expect(await rows(db, "select 1 from bot_hour")).toEqual([]);
});

it("stops removing when another process leads", async () => {
  await rows(
    db,
    "insert into webhook_delivery (carrier, delivery_key, content_type, answer, received_at) values ('twilio', 'old', '', '', now() - interval '8 days')",
  );
  await purge(db, { signal: AbortSignal.abort() });
  expect(await rows(db, "select 1 from webhook_delivery where delivery_key = 'old'")).toHaveLength(1);
});
