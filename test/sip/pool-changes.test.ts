/** Pools that are edited or deleted while the phone is in somebody's hand: no live call is cut, later calls go where they should. */
import { afterAll, describe, expect, it } from "vitest";
import type { Destination } from "../../src/account/destinations.store.js";
import { findNumber } from "../../src/pool/numbers.store.js";
import { deletePool, editPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  nothingLeft,
  placeOf,
  presentedNumber,
  recordOf,
  recordsOf,
  setTargets,
  startSipWorld,
} from "../support/sip-world.js";
import { until } from "../support/until.js";
import { allocationFor, ids, makeDestination, makeWorld, type World } from "../support/world.js";
import { startPhone } from "./edge/support/phone.js";
import { callTexts, rawPeer } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

const why = { reason: "test", actor: "test" };
const depsOf = (world: World) => ({ db, ids, schedule: world.schedule });

/** A caller who is being talked to. */
async function talkTo(number: string) {
  const place = placeOf(sip);
  const peer = await rawPeer(place);
  const call = callTexts(peer, place, number);
  peer.send(call.invite());
  const ok = await peer.response(200, "INVITE");
  peer.send(call.ack(ok));
  await recordOf(db, number, "in_progress");
  return {
    hangUp: async () => {
      peer.send(call.inDialog("BYE", ok, 2));
      await peer.response(200, "BYE");
    },
  };
}

async function refused(number: string, status: number): Promise<void> {
  const place = placeOf(sip);
  const peer = await rawPeer(place);
  const call = callTexts(peer, place, number);
  peer.send(call.invite());
  peer.send(call.ack(await peer.response(status)));
}

describe("a pool that is deleted", () => {
  it("cuts no live call; its numbers ring the last destination while they drain, and are intercepted afterwards", async () => {
    const business = await startPhone((call) => call.answer());
    const { world, number, visitorId } = await presentedNumber(db, [business.uri]);
    const live = await talkTo(number);
    await deletePool(depsOf(world), { poolId: world.pool.id, actor: "test" });
    expect((await findNumber(db, number))?.state).toBe("draining");
    await until("the routing table knows", () => sip.routing.table.find(number)?.isRouted === true);
    expect(sip.service.liveCalls).toBe(1);
    expect(await recordOf(db, number, "in_progress")).toMatchObject({ visitor_id: visitorId });

    // Somebody who wrote the number down calls while the first call goes on.
    const second = await talkTo(number);
    expect(sip.service.liveCalls).toBe(2);
    await second.hangUp();
    await until("the second call is over", () => sip.service.liveCalls === 1);
    await live.hangUp();
    const records = await recordsOf(db, number, { count: 2, status: "completed" });
    for (const record of records) {
      expect(record).toMatchObject({
        pool_id: world.pool.id,
        destination_number: "+18005550100",
        attribution: "matched",
        visitor_id: visitorId,
        released_by: "caller",
      });
    }
    await nothingLeft(sip);
  });

  it("with numbers that were quarantined at once, whose live calls go on too", async () => {
    const business = await startPhone((call) => call.answer());
    const { world, number } = await presentedNumber(db, [business.uri]);
    const live = await talkTo(number);
    await removeFromPool(depsOf(world), { poolId: world.pool.id, e164: number, skipDraining: true, ...why });
    await deletePool(depsOf(world), { poolId: world.pool.id, actor: "test" });
    await refused(number, 404);
    await recordOf(db, number, "intercepted");
    await until("only the first call is up", () => sip.service.liveCalls === 1);
    await live.hangUp();
    await until("the first call is completed", async () => {
      const found = await rows(db, "select 1 from call where promo_number = $1 and status = 'completed'", [number]);
      return found.length === 1;
    });
    await nothingLeft(sip);
  });
});

describe("a pool that moves to another destination", () => {
  it("sends later calls there, lets live ones go on, and leaves old records as they were", async () => {
    const [before, after] = [await startPhone((call) => call.answer()), await startPhone((call) => call.answer())];
    const { world, number } = await presentedNumber(db, [before.uri]);
    const other: Destination = await makeDestination(db, world.account, "+18775550100");
    await setTargets(db, other.id, [after.uri]);
    const live = await talkTo(number);
    await editPool(depsOf(world), { poolId: world.pool.id, changes: {}, destination: other, actor: "test" });
    const later = await talkTo(number);
    const records = await recordsOf(db, number, { count: 2, status: "in_progress" });
    expect(records.map((record) => [record["destination_number"], record.attempts[0]?.target])).toEqual([
      ["+18775550100", after.uri],
      ["+18005550100", before.uri],
    ]);
    await later.hangUp();
    await live.hangUp();
    const ended = await recordsOf(db, number, { count: 2, status: "completed" });
    expect(ended.map((record) => record["destination_number"])).toEqual(["+18775550100", "+18005550100"]);
    await nothingLeft(sip);
  });
});

describe("a pool whose max_size is lowered", () => {
  it("presents the numbers that had to go to nobody, and still rings for whoever was presented one", async () => {
    const business = await startPhone((call) => call.answer());
    const world = await makeWorld(db, 2);
    await setTargets(db, world.destination.id, [business.uri]);
    const [first] = await presentBatch(db, [allocationFor(world)], Date.now() - 3_600_000);
    await presentBatch(db, [allocationFor(world)]);
    await editPool(depsOf(world), { poolId: world.pool.id, changes: { maxSize: 1 }, destination: null, actor: "test" });
    const { promoNumber: number } = first as { promoNumber: string };
    expect((await findNumber(db, number))?.state).toBe("draining");
    expect(await presentBatch(db, [allocationFor(world)])).toMatchObject([{ kind: "exhausted" }]);
    const call = await talkTo(number);
    await call.hangUp();
    expect(await recordOf(db, number, "completed")).toMatchObject({ attribution: "matched" });
    await nothingLeft(sip);
  });
});
