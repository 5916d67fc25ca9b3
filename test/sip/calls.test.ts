/** What the record says of a call over SIP, beyond what sipp-scenarios.test.ts checks of every scenario. */
import { afterAll, describe, expect, it } from "vitest";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { freshDatabase, rows } from "../support/database.js";
import { nothingLeft, presentedNumber, recordOf, startSipWorld, targetAt } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

const call = (scenario: string, number: string, options: { status?: number; caller?: string } = {}) =>
  sipp({ scenario, remote: sip.address, service: number, ...options });

describe("a call over SIP", () => {
  it("reaches the business, and its record names the visitor who was presented the number", async () => {
    const callee = await sipp({ scenario: "uas-answer" });
    const { world, number, visitorId } = await presentedNumber(db, [targetAt(callee.port)]);
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
    // The caller talks for 300 ms; when our answer is seen as sent depends on the server.
    expect(record["talk_ms"]).toBeGreaterThanOrEqual(200);
    expect(record["pdd_ms"]).toBeGreaterThanOrEqual(0);
    expect(record["ring_ms"]).toBeGreaterThan(0);
    expect(record["confidence"]).toBeGreaterThan(0.5);
    expect(record.attempts).toMatchObject([{ target: targetAt(callee.port), sipStatus: 200 }]);
    await nothingLeft(sip);
  });

  it("to a destination without SIP URI and a trunk without outbound_uri is answered 503", async () => {
    const { number } = await presentedNumber(db, []);
    await (await call("uac-refused", number, { status: 503 })).done;
    expect(await recordOf(db, number, "failed")).toMatchObject({ attribution: "matched" });
  });
});

describe("a call to a number that nobody holds", () => {
  it("is logged, and counted once a caller", async () => {
    const { world, number } = await presentedNumber(db, []);
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164: number, accountId: null, reason: "test", actor: "test" },
    );
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
});
