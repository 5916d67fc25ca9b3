import { afterAll, expect, it } from "vitest";
import { closeOrphanedCalls } from "../../src/jobs/housekeeping.js";
import { silentLog } from "../../src/kernel/log.js";
import { openCall } from "../../src/routing/open-call.js";
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
  expect(await closeOrphanedCalls({ db, callLog: routing.callLog, log: silentLog }, "mine")).toBe(1);
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
