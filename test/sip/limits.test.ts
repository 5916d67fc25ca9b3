import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { ConcurrentCalls } from "../../src/sip/concurrent-calls.js";
import { TrunkLimits } from "../../src/sip/trunk-limits.js";
import { freshDatabase, rows } from "../support/database.js";
import { presentedNumber, recordOf, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { startPhone } from "./edge/support/phone.js";

describe("a trunk's limits", () => {
  let nowMs = 0;
  const trunk = {
    name: "t",
    sourceCidrs: [],
    transport: "udp",
    defaultCountry: "US",
    maxCps: 3,
    maxCalls: 5,
    outboundUri: null,
    mode: "b2bua",
    trustIdentity: true,
  } as const;

  it("let a second's worth through at once, then refill evenly", () => {
    const limits = new TrunkLimits({ monotonicMs: () => nowMs });
    const admit = () => {
      const admission = limits.admit(trunk);
      if (admission.kind === "admitted") admission.release();
      return admission.kind;
    };
    expect([admit(), admit(), admit(), admit()]).toEqual(["admitted", "admitted", "admitted", "refused"]);
    nowMs += 333;
    expect(admit()).toBe("refused");
    nowMs += 1;
    expect([admit(), admit()]).toEqual(["admitted", "refused"]);
    nowMs += 60_000;
    expect([admit(), admit(), admit(), admit()]).toEqual(["admitted", "admitted", "admitted", "refused"]);
  });

  it("count calls that are up, each released once", () => {
    const limits = new TrunkLimits({ monotonicMs: () => (nowMs += 1000) });
    const admissions = Array.from({ length: 6 }, () => limits.admit(trunk));
    expect(admissions[5]).toEqual({ kind: "refused", limit: "max_calls" });
    const [first] = admissions;
    if (first?.kind === "admitted") {
      first.release();
      first.release();
    }
    expect([limits.admit(trunk).kind, limits.admit(trunk).kind]).toEqual(["admitted", "refused"]);
  });
});

it("a destination's places are given back once", () => {
  const calls = new ConcurrentCalls();
  const leave = calls.enter("d", 1);
  expect(calls.enter("d", 1)).toBeNull();
  leave?.();
  leave?.();
  const again = calls.enter("d", 2);
  expect([again, calls.enter("d", 2)]).not.toContain(null);
  expect(calls.enter("d", 2)).toBeNull();
});

describe("over SIP", async () => {
  const { db } = await freshDatabase();
  const sip = await startSipWorld(db);
  afterAll(() => sip.stop());

  it("a call beyond the destination's max_concurrent_calls counts as busy there and reaches the failover target", async () => {
    const desk = await startPhone((call) => call.ring());
    const cell = await sipp({ scenario: "uas-answer" });
    const { world, number } = await presentedNumber(db, [desk.uri, `sip:cell@127.0.0.1:${cell.port}`]);
    await rows(db, "update destination set max_concurrent_calls = 1 where id = $1", [world.destination.id]);
    const first = await startPhone();
    const hangUp = new AbortController();
    const ringing = first.phone.call({
      fromUser: "+14155550123",
      targetUri: `sip:${number}@${sip.address}`,
      ringTimeoutMs: 30_000,
      signal: hangUp.signal,
    });
    await recordOf(db, number, "ringing");
    const other = await sipp({
      scenario: "uac-answered",
      remote: sip.address,
      service: number,
      caller: "+14155550124",
    });
    await Promise.all([other.done, cell.done]);
    hangUp.abort();
    expect(await ringing).toEqual({ kind: "canceled" });
    const record = await recordOf(db, number, "completed");
    expect(record.attempts).toMatchObject([{ sipStatus: 486, cause: "max_concurrent_calls" }, { sipStatus: 200 }]);
  });

  it("calls beyond the trunk's max_cps get 503 with Retry-After and leave no record", async () => {
    const [loopback] = await listTrunks(db);
    if (loopback === undefined) throw new Error("there is no trunk");
    await putTrunk(db, { ...loopback, maxCps: 1 });
    await sip.service.trunksChanged();
    await (await sipp({ scenario: "uac-refused", remote: sip.address, service: "+18889990001", status: 404 })).done;
    await (await sipp({ scenario: "uac-refused", remote: sip.address, service: "+18889990001", status: 503 })).done;
    expect(await rows(db, "select 1 from call where promo_number = '+18889990001'")).toHaveLength(1);
  });
});
