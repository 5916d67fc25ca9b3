import { afterAll, describe, expect, it } from "vitest";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { recordOf, setTargets, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { allocationFor, makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

/** A number just presented to a visitor, whose business is reached at the given targets. */
async function presented(targets: readonly string[], ringTimeoutS?: number) {
  const world = await makeWorld(db, 1);
  await setTargets(db, world.destination.id, targets, ringTimeoutS);
  const [outcome] = await presentBatch(db, [allocationFor(world)]);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  return { world, number: outcome.promoNumber, visitorId: outcome.visitorId };
}

const business = (scenario: string, options: { calls?: number } = {}) => sipp({ scenario, ...options });
const uriOf = (port: number) => `sip:business@127.0.0.1:${port}`;

function call(
  scenario: string,
  number: string,
  options: { status?: number; caller?: string; transport?: "u1" | "t1"; calls?: number; rate?: number } = {},
) {
  return sipp({ scenario, remote: sip.address, service: number, ...options });
}

async function assertNothingLeft(): Promise<void> {
  expect(sip.service.liveCalls).toBe(0);
  expect(sip.edge.activeDialogs()).toBe(0);
}

describe("a call over SIP", () => {
  it("reaches the business, and its record names the visitor who was presented the number", async () => {
    const callee = await business("uas-answer");
    const { world, number, visitorId } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-answered", number, { caller: "+14155550123" });
    await Promise.all([caller.done, callee.done]);
    const record = await recordOf(db, number, "completed");
    expect(record).toMatchObject({
      account_id: world.account.id,
      pool_id: world.pool.id,
      ingress: "sip",
      disposition: "routed",
      attribution: "matched",
      visitor_id: visitorId,
      destination_number: "+18005550100",
      released_by: "caller",
      hangup_cause: "normal_clearing",
      caller_last4: "0123",
      late: false,
      matched_seq: 1,
    });
    expect(record["talk_ms"]).toBeGreaterThanOrEqual(290);
    expect(record["pdd_ms"]).toBeGreaterThanOrEqual(0);
    expect(record["ring_ms"]).toBeGreaterThan(0);
    expect(record["confidence"]).toBeGreaterThan(0.5);
    expect(record.attempts).toMatchObject([{ target: uriOf(callee.port), sipStatus: null }]);
    await assertNothingLeft();
  });

  it("comes over TCP as well", async () => {
    const callee = await business("uas-answer");
    const { number } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-answered", number, { transport: "t1" });
    await Promise.all([caller.done, callee.done]);
    expect(await recordOf(db, number, "completed")).toMatchObject({ attribution: "matched" });
  });

  it("ends when the business hangs up", async () => {
    const callee = await business("uas-hang-up");
    const { number } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-callee-hangs-up", number);
    await Promise.all([caller.done, callee.done]);
    expect(await recordOf(db, number, "completed")).toMatchObject({ released_by: "callee" });
    await assertNothingLeft();
  });

  it("leaves no leg behind when ACK and BYE come back to back", async () => {
    const callee = await business("uas-answer", { calls: 50 });
    const { number } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-ack-bye-at-once", number, { calls: 50, rate: 50 });
    await Promise.all([caller.done, callee.done]);
    await recordOf(db, number, "completed");
    await assertNothingLeft();
  });

  it("given up by the caller is cancelled at the business and recorded so", async () => {
    const callee = await business("uas-ring");
    const { number } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-cancel", number);
    await Promise.all([caller.done, callee.done]);
    expect(await recordOf(db, number, "canceled")).toMatchObject({
      released_by: "caller",
      answered_at: null,
      talk_ms: null,
    });
    await assertNothingLeft();
  });

  it("to a busy business is answered 486", async () => {
    const callee = await business("uas-busy");
    const { number } = await presented([uriOf(callee.port)]);
    const caller = await call("uac-refused", number, { status: 486 });
    await Promise.all([caller.done, callee.done]);
    const record = await recordOf(db, number, "busy");
    expect(record.attempts).toMatchObject([{ sipStatus: 486 }]);
  });

  it("hunts on from a busy target to the next, on one record", async () => {
    const busy = await business("uas-busy");
    const callee = await business("uas-answer");
    const { number } = await presented([uriOf(busy.port), uriOf(callee.port)]);
    const caller = await call("uac-answered", number);
    await Promise.all([caller.done, busy.done, callee.done]);
    const record = await recordOf(db, number, "completed");
    expect(record.attempts.map((attempt) => attempt.sipStatus)).toEqual([486, null]);
  });

  it("that nobody answers is answered 480 when the ring timeout is over, and the business is cancelled", async () => {
    const callee = await business("uas-ring");
    const { number } = await presented([uriOf(callee.port)], 1);
    const caller = await call("uac-refused", number, { status: 480 });
    await Promise.all([caller.done, callee.done]);
    const record = await recordOf(db, number, "no_answer");
    expect(record["ring_ms"]).toBeGreaterThanOrEqual(900);
    await assertNothingLeft();
  });

  it("to a destination without SIP URI and a trunk without outbound_uri is answered 503", async () => {
    const { number } = await presented([]);
    await (await call("uac-refused", number, { status: 503 })).done;
    expect(await recordOf(db, number, "failed")).toMatchObject({ attribution: "matched" });
  });
});

describe("a call to a number that nobody holds", () => {
  async function quarantined(): Promise<{ world: World; number: string }> {
    const { world, number } = await presented([]);
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164: number, accountId: null, reason: "test", actor: "test" },
    );
    return { world, number };
  }

  it("is intercepted: 404, logged, counted once a caller", async () => {
    const { world, number } = await quarantined();
    for (const caller of ["+14155550001", "+14155550002", "+14155550001"]) {
      await (await call("uac-refused", number, { status: 404, caller })).done;
    }
    expect(await recordOf(db, number, "intercepted")).toMatchObject({
      attribution: "quarantined",
      disposition: "intercepted",
      visitor_id: null,
    });
    const intercepts = await rows(
      db,
      `select ingress, counted, not_counted_reason, former_account_id from intercept where promo_number = $1 order by at`,
      [number],
    );
    expect(intercepts.map((row) => row["counted"])).toEqual([true, true, false]);
    expect(intercepts[2]).toMatchObject({
      ingress: "sip",
      not_counted_reason: "repeat_caller",
      former_account_id: world.account.id,
    });
  });

  it("is refused with 404 and recorded when the number is not known at all", async () => {
    await (await call("uac-refused", "+18889990000", { status: 404 })).done;
    expect(await recordOf(db, "+18889990000", "failed")).toMatchObject({
      disposition: "unknown_number",
      attribution: "unattributable",
      account_id: null,
    });
  });
});
