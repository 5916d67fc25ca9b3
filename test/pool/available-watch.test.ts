import { afterAll, describe, expect, it } from "vitest";
import { createAvailableWatch, requarantineBroken, requarantineIfBroken } from "../../src/pool/available-watch.js";
import { quarantineNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { findNumber, historyOf, type PromoNumber } from "../../src/pool/numbers.store.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { silentLog } from "../../src/kernel/log.js";
import { openCall } from "../../src/routing/open-call.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  addInventory,
  ids,
  inboundCall,
  makeWorld,
  RecordingSchedule,
  secrets,
  tollFreeNumbers,
} from "../support/world.js";

const { db } = await freshDatabase();
const schedule = new RecordingSchedule();
const deps = { db, schedule };
const watch = createAvailableWatch({ ...deps, log: silentLog });
afterAll(() => watch.settle());

/** A number that became available `daysAgo`. */
async function available(daysAgo: number): Promise<E164> {
  const [e164] = tollFreeNumbers(1) as [E164];
  await addInventory(db, [e164]);
  await rows(db, "update promo_number set state_since = state_since - make_interval(days => $2) where e164 = $1", [
    e164,
    daysAgo,
  ]);
  return e164;
}

async function callFrom(e164: string, caller: string | null, daysAgo = 0): Promise<void> {
  const opening = { call: inboundCall(e164, { caller }), callId: ids.next("call"), late: null };
  const { ref } = await openCall({ db, ids, secrets, availableWatch: daysAgo === 0 ? watch : undefined }, opening);
  await rows(db, "update intercept set at = at - make_interval(days => $2) where call_id = $1", [ref.callId, daysAgo]);
  await watch.settle();
}

async function numberOf(e164: string): Promise<PromoNumber> {
  return (await findNumber(db, e164)) as PromoNumber;
}

const caller = (i: number) => `+1415555${String(2000 + i)}`;

describe("an available number", () => {
  it("is not sent back by one call, however soon, nor by one caller who calls many times", async () => {
    const e164 = await available(0);
    for (let i = 0; i < 5; i++) await callFrom(e164, caller(1));
    expect(await numberOf(e164)).toMatchObject({ state: "available" });
  });

  it("goes back to quarantine with the second caller in its first days, and the history says why", async () => {
    const e164 = await available(1);
    await callFrom(e164, caller(1));
    expect((await numberOf(e164)).state).toBe("available");
    await callFrom(e164, caller(2));
    const number = await numberOf(e164);
    expect(number).toMatchObject({ state: "quarantined", accountId: null });
    expect(schedule.checks).toContainEqual(expect.objectContaining({ e164, ownershipEpoch: number.ownershipEpoch }));
    const last = (await historyOf(db, number.id)).at(-1);
    expect(last).toMatchObject({ state: "quarantined", actor: "intercept" });
    expect(last?.reason).toMatch(
      /called again: 2 distinct callers in 1\.0 days \(at least 0\.355 a day, the limit is 0\.1\)/,
    );
  });

  it("that was quiet for long stays with two callers and goes with seven in a month, however long it was quiet", async () => {
    const e164 = await available(365);
    for (let i = 0; i < 6; i++) await callFrom(e164, caller(i), 1);
    expect(await requarantineIfBroken(deps, { e164, actor: "test" })).toBe(false);
    await callFrom(e164, caller(6));
    expect((await numberOf(e164)).state).toBe("quarantined");
  });

  it("is not judged by calls of before it became available, of its quarantine or of another owner", async () => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as string;
    await quarantineNumber(deps, { e164, accountId: null, reason: "test", actor: "test" });
    for (let i = 0; i < 5; i++) await callFrom(e164, caller(i));
    await releaseNumber(deps, { e164, force: true, reason: "test", actor: "test" });
    await callFrom(e164, caller(1));
    expect((await numberOf(e164)).state).toBe("available");
    // Who called in quarantine and calls again counts: they still expect somebody there.
    await callFrom(e164, caller(2));
    expect((await numberOf(e164)).state).toBe("quarantined");
  });

  it("is not sent back by known spam callers, but by anonymous ones, who cannot be told apart", async () => {
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, spamCallers: [caller(8), caller(9)] });
    const [spam, anonymous] = [await available(1), await available(1)];
    for (const one of [8, 9, 8, 9]) await callFrom(spam, caller(one));
    for (let i = 0; i < 2; i++) await callFrom(anonymous, null);
    expect((await numberOf(spam)).state).toBe("available");
    expect((await numberOf(anonymous)).state).toBe("quarantined");
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });

  it("called by many at the same moment goes back once", async () => {
    const e164 = await available(0);
    await Promise.all(Array.from({ length: 20 }, (_, i) => callFrom(e164, caller(i))));
    await watch.settle();
    const number = await numberOf(e164);
    expect(number.state).toBe("quarantined");
    const moves = (await historyOf(db, number.id)).map(({ state }) => state);
    expect(moves).toEqual(["available", "quarantined"]);
  });
});

describe("the job", () => {
  it("finds what the calls themselves missed, and nothing else", async () => {
    const [missed, once, spread] = [await available(2), await available(2), await available(29)];
    for (const i of [1, 2]) await callFrom(missed, caller(i), 1);
    await callFrom(once, caller(1), 1);
    for (const i of [1, 2]) await callFrom(spread, caller(i), 1);
    expect(await requarantineBroken(deps, { actor: "job" })).toBe(1);
    expect(await Promise.all([missed, once, spread].map(async (e164) => (await numberOf(e164)).state))).toEqual([
      "quarantined",
      "available",
      "available",
    ]);
    expect(await requarantineBroken(deps, { actor: "job" })).toBe(0);
  });

  it("applies a rule that became stricter", async () => {
    const e164 = await available(29);
    for (const i of [1, 2]) await callFrom(e164, caller(i), 20);
    expect(await requarantineBroken(deps, { actor: "job" })).toBe(0);
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, maxRatePerDay: 0.01 });
    expect(await requarantineBroken(deps, { actor: "job" })).toBeGreaterThanOrEqual(1);
    expect((await numberOf(e164)).state).toBe("quarantined");
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });
});
