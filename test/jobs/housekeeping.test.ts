import { afterAll, expect, it } from "vitest";
import { closeFormerLife } from "../../src/jobs/housekeeping.js";
import { databaseNow } from "../../src/db/database-now.js";
import { silentLog } from "../../src/kernel/log.js";
import { openCall, openLateCalls } from "../../src/routing/open-call.js";
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
