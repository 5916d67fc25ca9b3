import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { insertIntercept } from "../../src/pool/intercepts.store.js";
import { summarizeIntercepts } from "../../src/pool/intercepts.store.js";
import { advanceNumber, quarantineNumber, releaseNumber, retireNumber } from "../../src/pool/number-moves.js";
import {
  findNumber,
  historyOf,
  insertNumbers,
  listDueNumbers,
  type PromoNumber,
} from "../../src/pool/numbers.store.js";
import { addNumbers, createPool, deletePool, editPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { canMove, NUMBER_STATES, type NumberState } from "../../src/pool/promo-number.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { openCall } from "../../src/routing/open-call.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  addInventory,
  allocationFor,
  ids,
  inboundCall,
  makeWorld,
  secrets,
  tollFreeNumbers,
  type World,
} from "../support/world.js";

const { db } = await freshDatabase();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const movesOf = (world: World) => ({ db, ids, schedule: world.schedule });
const why = { reason: "test", actor: "test" };

async function numberOf(e164: string): Promise<PromoNumber> {
  return (await findNumber(db, e164)) as PromoNumber;
}

function remove(world: World, e164: string, skipDraining = false): Promise<PromoNumber> {
  return removeFromPool(movesOf(world), { poolId: world.pool.id, e164, skipDraining, ...why });
}

/** One number of a one-number pool, presented to somebody `agoMs` ago. */
async function presented(agoMs: number, settings = {}): Promise<{ world: World; e164: E164 }> {
  const world = await makeWorld(db, 1, settings);
  await presentBatch(db, [allocationFor(world)], Date.now() - agoMs);
  return { world, e164: world.numbers[0] as E164 };
}

/** A number in quarantine since `daysAgo`. */
async function quarantined(daysAgo: number): Promise<{ world: World; e164: E164; number: PromoNumber }> {
  const world = await makeWorld(db, 1);
  const e164 = world.numbers[0] as E164;
  await quarantineNumber(movesOf(world), { e164, accountId: null, ...why });
  await rows(
    db,
    `update promo_number set quarantined_at = quarantined_at - make_interval(days => $2) where e164 = $1`,
    [e164, daysAgo],
  );
  return { world, e164, number: await numberOf(e164) };
}

const callFrom = (e164: string, caller: string | null) =>
  openCall({ db, ids, secrets }, { call: inboundCall(e164, { caller }), callId: ids.next("call"), late: null });

describe("the state machine", () => {
  it("is the same in the code and in the database, for every pair of states", async () => {
    const world = await makeWorld(db, 1);
    const nobody = "role = null, account_id = null, pool_id = null, quarantined_at = null";
    const columns: Record<NumberState, string> = {
      ordering: nobody,
      porting: nobody,
      available: "role = null, account_id = null, pool_id = null, quarantined_at = null",
      assigned: `role = 'pool', account_id = '${world.account.id}', pool_id = '${world.pool.id}', quarantined_at = null`,
      draining: `role = 'pool', account_id = '${world.account.id}', pool_id = '${world.pool.id}', quarantined_at = null`,
      quarantined: "role = null, account_id = null, pool_id = null, quarantined_at = now()",
      retired: "role = null, account_id = null, pool_id = null, quarantined_at = null",
    };
    const pathTo: Record<NumberState, NumberState[]> = {
      ordering: [],
      porting: [],
      available: [],
      assigned: ["assigned"],
      draining: ["assigned", "draining"],
      quarantined: ["quarantined"],
      retired: ["retired"],
    };
    const owned = (state: NumberState): boolean => state === "assigned" || state === "draining";
    const move = async (e164: string, from: NumberState, to: NumberState): Promise<boolean> => {
      const epoch = owned(from) === owned(to) ? "" : ", ownership_epoch = ownership_epoch + 1";
      // A number that was ported in can only become its source's.
      const asStatic = `role = 'static', account_id = '${world.account.id}'`;
      const set = from === "porting" && to === "assigned" ? asStatic : columns[to];
      try {
        await rows(db, `update promo_number set state = '${to}', ${set}${epoch} where e164 = $1`, [e164]);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: "23514" });
        return false;
      }
    };
    for (const from of NUMBER_STATES) {
      for (const to of NUMBER_STATES) {
        if (from === to) continue;
        const [e164] = tollFreeNumbers(1) as [E164];
        const first = from === "ordering" || from === "porting" ? from : "available";
        await insertNumbers(db, {
          numbers: [{ number: e164, carrier: null, credentialId: null, state: first }],
          ...why,
        });
        let at: NumberState = first;
        for (const step of pathTo[from]) {
          expect(await move(e164, at, step)).toBe(true);
          at = step;
        }
        expect([from, to, await move(e164, from, to)]).toEqual([from, to, canMove(from, to)]);
      }
    }
    // Later tests fill pools with their own numbers.
    await rows(db, "update promo_number set state = 'retired' where state = 'available'");
  });

  it("never leaves retired, and reaches every state but those a number begins in", () => {
    fc.assert(
      fc.property(fc.constantFrom(...NUMBER_STATES), (to) => {
        expect(canMove("retired", to)).toBe(false);
      }),
    );
    const reached = new Set<NumberState>(["available"]);
    for (let i = 0; i < NUMBER_STATES.length; i++)
      for (const from of [...reached]) for (const to of NUMBER_STATES) if (canMove(from, to)) reached.add(to);
    const begins: NumberState[] = ["ordering", "porting"];
    expect([...reached].sort()).toEqual(NUMBER_STATES.filter((state) => !begins.includes(state)).sort());
    for (const first of begins) expect(canMove(first, "available")).toBe(true);
  });

  it("keeps a number that is being ported in out of pools", async () => {
    const world = await makeWorld(db, 1);
    const [e164] = tollFreeNumbers(1) as [E164];
    await insertNumbers(db, {
      numbers: [{ number: e164, carrier: null, credentialId: null, state: "porting" }],
      ...why,
    });
    await expect(
      rows(
        db,
        `update promo_number set state = 'assigned', role = 'pool', account_id = $2, pool_id = $3, ownership_epoch = 1 where e164 = $1`,
        [e164, world.account.id, world.pool.id],
      ),
    ).rejects.toMatchObject({ code: "23514" });
  });

  it.each(["ordering", "porting"] as const)("intercepts and logs calls to a number in %s", async (state) => {
    const [e164] = tollFreeNumbers(1) as [E164];
    await insertNumbers(db, { numbers: [{ number: e164, carrier: null, credentialId: null, state }], ...why });
    const { decision, ref } = await callFrom(e164, "+14155550177");
    expect(decision).toEqual({ kind: "intercept" });
    expect(await rows(db, "select disposition, status, attribution from call where id = $1", [ref.callId])).toEqual([
      { disposition: "intercepted", status: "intercepted", attribution: "quarantined" },
    ]);
    expect(await rows(db, "select counted from intercept where call_id = $1", [ref.callId])).toEqual([
      { counted: true },
    ]);
  });

  it("writes every move down: from import to release, with reason and actor", async () => {
    const { world, e164 } = await presented(HOUR);
    await remove(world, e164);
    await addNumbers(movesOf(world), { poolId: world.pool.id, numbers: [e164], actor: "key_1" });
    await remove(world, e164, true);
    await releaseNumber(movesOf(world), { e164, force: true, reason: "I know better", actor: "key_2" });
    await retireNumber(movesOf(world), { e164, reason: "gone back", actor: "key_3" });
    const { id, ownershipEpoch } = await numberOf(e164);
    const history = await historyOf(db, id);
    expect(history.map(({ state, reason, actor }) => [state, reason, actor])).toEqual([
      ["available", "import", "test"],
      ["assigned", "pool created", "test"],
      ["draining", "test", "test"],
      ["assigned", "added to the pool", "key_1"],
      ["quarantined", "test", "test"],
      ["available", "forced: I know better", "key_2"],
      ["retired", "gone back", "key_3"],
    ]);
    expect(ownershipEpoch).toBe(2);
    const times = history.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it("refuses illegal moves in words", async () => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as E164;
    const moves = movesOf(world);
    const illegal = { code: "illegal_transition" };
    await expect(releaseNumber(moves, { e164, force: true, ...why })).rejects.toMatchObject(illegal);
    await expect(retireNumber(moves, { e164, ...why })).rejects.toMatchObject(illegal);
    await quarantineNumber(moves, { e164, accountId: null, ...why });
    await expect(quarantineNumber(moves, { e164, accountId: null, ...why })).rejects.toMatchObject(illegal);
    await expect(addNumbers(moves, { poolId: world.pool.id, numbers: [e164], actor: "test" })).rejects.toMatchObject(
      illegal,
    );
    await expect(retireNumber(moves, { e164: "+18885550000", ...why })).rejects.toMatchObject({ code: "not_found" });
  });

  it("another account's number does not exist for the asker", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const e164 = theirs.numbers[0] as E164;
    await expect(quarantineNumber(movesOf(mine), { e164, accountId: mine.account.id, ...why })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(remove(mine, e164)).rejects.toMatchObject({ code: "not_found" });
    expect((await numberOf(e164)).state).toBe("assigned");
  });
});

describe("a removed number", () => {
  it("that nobody was presented goes to quarantine at once", async () => {
    const world = await makeWorld(db, 1);
    expect(await remove(world, world.numbers[0] as E164)).toMatchObject({
      state: "quarantined",
      accountId: null,
      formerAccountId: world.account.id,
    });
  });

  it("whose last retention is over goes to quarantine at once", async () => {
    const { world, e164 } = await presented(2 * HOUR, { retentionS: 3_600, sessionLifetimeS: 60 });
    expect((await remove(world, e164)).state).toBe("quarantined");
  });

  it("drains until the retention of its last presentation is over", async () => {
    const { world, e164 } = await presented(HOUR);
    const number = await remove(world, e164);
    expect(number).toMatchObject({ state: "draining", accountId: world.account.id, poolId: world.pool.id });
    expect(Math.abs((number.nextCheckAt as number) - (Date.now() + 71 * HOUR))).toBeLessThan(10_000);
    expect(world.schedule.checks.at(-1)).toMatchObject({ e164, ownershipEpoch: number.ownershipEpoch });
    expect(Math.abs((world.schedule.checks.at(-1)?.delayMs ?? 0) - 71 * HOUR)).toBeLessThan(10_000);
  });

  it("drains no longer than drain_s", async () => {
    const { world, e164 } = await presented(HOUR, { drainS: 60 });
    const number = await remove(world, e164);
    expect(Math.abs((number.nextCheckAt as number) - (Date.now() + 60_000))).toBeLessThan(10_000);
  });

  it("drains as the pool says from now on, when one change takes it out and says how long", async () => {
    const { world, e164 } = await presented(HOUR);
    await addInventory(db, tollFreeNumbers(1));
    const grown = { poolId: world.pool.id, changes: { maxSize: 2 }, destination: null, actor: "test" };
    await editPool(movesOf(world), grown);
    await addNumbers(movesOf(world), { poolId: world.pool.id, count: 1, actor: "test" });
    await presentBatch(db, [allocationFor(world)]);
    await editPool(movesOf(world), { ...grown, changes: { maxSize: 1, drainS: 60 } });
    const number = await numberOf(e164);
    expect(number.state).toBe("draining");
    expect(Math.abs((number.nextCheckAt as number) - (Date.now() + 60_000))).toBeLessThan(10_000);
  });

  it("does not drain at all with drain_s 0, or when told now", async () => {
    const zero = await presented(HOUR, { drainS: 0 });
    expect((await remove(zero.world, zero.e164)).state).toBe("quarantined");
    const now = await presented(HOUR);
    expect((await remove(now.world, now.e164, true)).state).toBe("quarantined");
  });

  it("loses lock, visitor and touch with its owner, keeps its sequence, and remembers whose carrier speaks for it", async () => {
    const { world, e164 } = await presented(0);
    await remove(world, e164, true);
    const [row] = await rows(
      db,
      `select visitor_id, held_by, presentation_id, touch, locked_until, retained_until, presentation_seq, ownership_epoch, host_account_id
       from promo_number where e164 = $1`,
      [e164],
    );
    expect(row).toEqual({
      visitor_id: null,
      held_by: null,
      presentation_id: null,
      touch: null,
      locked_until: -Infinity,
      retained_until: -Infinity,
      presentation_seq: 1,
      ownership_epoch: 2,
      host_account_id: world.account.id,
    });
  });

  it("of another pool of the same account keeps its lock but not its visitor", async () => {
    const { world, e164 } = await presented(1_000);
    const other = await createPool(movesOf(world), {
      pool: { ...world.pool, kind: "campaign", campaign: "c", maxSize: 2, overflow: "original_number" },
      fillImmediately: false,
      actor: "test",
    });
    await remove(world, e164);
    await addNumbers(movesOf(world), { poolId: other.id, numbers: [e164], actor: "test" });
    const [row] = await rows(
      db,
      "select visitor_id, locked_until > now() as locked, presentation_seq from promo_number where e164 = $1",
      [e164],
    );
    expect(row).toEqual({ visitor_id: null, locked: true, presentation_seq: 1 });
    const call = await callFrom(e164, "+14155550100");
    expect(await rows(db, "select attribution from call where id = $1", [call.ref.callId])).toEqual([
      { attribution: "never_presented" },
    ]);
    // Nobody was presented it here, but who was there may still call.
    const removal = { poolId: other.id, e164, skipDraining: false, reason: "test", actor: "test" };
    const removed = await removeFromPool(movesOf(world), removal);
    expect(removed.state).toBe("draining");
    const leftMs = (removed.nextCheckAt as number) - Date.now();
    expect(leftMs).toBeGreaterThan((other.retentionS - 60) * 1000);
    expect(leftMs).toBeLessThanOrEqual(other.retentionS * 1000);
  });
});

describe("advanceNumber", () => {
  it("ends draining when it is over and not before", async () => {
    const { world, e164 } = await presented(HOUR, { drainS: 60 });
    const { ownershipEpoch } = await remove(world, e164);
    const input = { e164, ownershipEpoch, actor: "job" };
    expect(await advanceNumber(movesOf(world), input)).toMatchObject({ kind: "not_yet" });
    await rows(db, "update promo_number set next_check_at = now() - interval '1 millisecond' where e164 = $1", [e164]);
    expect(await advanceNumber(movesOf(world), input)).toMatchObject({ kind: "quarantined" });
    // The same job again: the epoch has moved on.
    expect(await advanceNumber(movesOf(world), input)).toEqual({ kind: "nothing_to_do" });
    expect((await numberOf(e164)).state).toBe("quarantined");
  });

  it("releases a clean number, and looks again later when it is not clean", async () => {
    const clean = await quarantined(46);
    const input = { e164: clean.e164, ownershipEpoch: clean.number.ownershipEpoch, actor: "job" };
    expect(await advanceNumber(movesOf(clean.world), input)).toEqual({ kind: "released" });
    expect(await numberOf(clean.e164)).toMatchObject({ state: "available", accountId: null, nextCheckAt: null });
    expect(await advanceNumber(movesOf(clean.world), input)).toEqual({ kind: "nothing_to_do" });

    const young = await quarantined(44);
    const early = { e164: young.e164, ownershipEpoch: young.number.ownershipEpoch, actor: "job" };
    const advance = await advanceNumber(movesOf(young.world), early);
    expect(advance).toMatchObject({ kind: "not_yet" });
    const delayMs = young.world.schedule.checks.at(-1)?.delayMs ?? 0;
    expect(Math.abs(delayMs - DAY)).toBeLessThan(10_000);
    const nextCheckAt = (await numberOf(young.e164)).nextCheckAt as number;
    expect(Math.abs(nextCheckAt - (Date.now() + DAY))).toBeLessThan(10_000);
  });

  it("does nothing for a stale epoch", async () => {
    const { world, e164, number } = await quarantined(46);
    const stale = { e164, ownershipEpoch: number.ownershipEpoch - 1, actor: "job" };
    expect(await advanceNumber(movesOf(world), stale)).toEqual({ kind: "nothing_to_do" });
    expect((await numberOf(e164)).state).toBe("quarantined");
  });

  it("two jobs of one number at the same moment release it once", async () => {
    const { world, e164, number } = await quarantined(46);
    const input = { e164, ownershipEpoch: number.ownershipEpoch, actor: "job" };
    const both = await Promise.all([advanceNumber(movesOf(world), input), advanceNumber(movesOf(world), input)]);
    expect(both.map((a) => a.kind).sort()).toEqual(["nothing_to_do", "released"]);
    const history = await historyOf(db, number.id);
    expect(history.filter((event) => event.state === "available")).toHaveLength(2);
  });

  it("finds overdue numbers for the sweeper", async () => {
    const { e164, number } = await quarantined(46);
    await rows(db, "update promo_number set next_check_at = now() - interval '1 minute' where e164 = $1", [e164]);
    const due = await listDueNumbers(db, { graceS: 30, limit: 100 });
    expect(due).toContainEqual({ e164, ownershipEpoch: number.ownershipEpoch });
    expect(await listDueNumbers(db, { graceS: 90, limit: 100 })).not.toContainEqual({
      e164,
      ownershipEpoch: number.ownershipEpoch,
    });
  });
});

describe("release", () => {
  it("is refused before the number is clean, saying when; with force it is done and marked", async () => {
    const { world, e164 } = await quarantined(1);
    const refusal = releaseNumber(movesOf(world), { e164, force: false, ...why });
    await expect(refusal).rejects.toMatchObject({ code: "not_clean" });
    await expect(refusal).rejects.toThrow(/\d{4}-\d\d-\d\dT/);
    expect(await releaseNumber(movesOf(world), { e164, force: true, ...why })).toMatchObject({ state: "available" });
  });

  it("counts distinct callers: three in 46 days are too many, one that calls three times is not", async () => {
    // k = 3: the 95 % bound is 7.754 a window, 77.5 days at 0.1 a day; k = 1: 4.744, 47.4 days.
    const busy = await quarantined(60);
    for (const caller of ["+14155550101", "+14155550102", "+14155550103"]) await callFrom(busy.e164, caller);
    await expect(releaseNumber(movesOf(busy.world), { e164: busy.e164, force: false, ...why })).rejects.toMatchObject({
      code: "not_clean",
    });
    const quiet = await quarantined(60);
    for (let i = 0; i < 3; i++) await callFrom(quiet.e164, "+14155550101");
    expect(await releaseNumber(movesOf(quiet.world), { e164: quiet.e164, force: false, ...why })).toMatchObject({
      state: "available",
    });
  });

  it("does not count spam callers; counts every anonymous call", async () => {
    await writeQuarantineSettings(db, { ...defaultQuarantineSettings, spamCallers: ["+14155550199"] });
    const { number, e164 } = await quarantined(60);
    for (let i = 0; i < 3; i++) await callFrom(e164, "+14155550199");
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 3, distinctCallers: 0 });
    await callFrom(e164, null);
    await callFrom(e164, null);
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 5, distinctCallers: 2 });
    const reasons = await rows(
      db,
      "select counted, not_counted_reason from intercept where promo_number = $1 and ownership_epoch = $2 order by at, id",
      [e164, number.ownershipEpoch],
    );
    expect(reasons).toEqual([
      ...Array<unknown>(3).fill({ counted: false, not_counted_reason: "spam_caller" }),
      ...Array<unknown>(2).fill({ counted: true, not_counted_reason: null }),
    ]);
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });

  it("counts one caller who rings twice at the same moment once", async () => {
    const { number, e164 } = await quarantined(60);
    await Promise.all(Array.from({ length: 8 }, () => callFrom(e164, "+14155550104")));
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 8, distinctCallers: 1 });
    const counted = await rows(
      db,
      "select counted, count(*) from intercept where promo_number = $1 and ownership_epoch = $2 group by 1 order by 1",
      [e164, number.ownershipEpoch],
    );
    expect(counted).toEqual([
      { counted: false, count: 7 },
      { counted: true, count: 1 },
    ]);
  });

  it("a call logged twice is one intercept", async () => {
    const { number, e164 } = await quarantined(60);
    const callId = ids.next("call");
    const once = () =>
      insertIntercept(db, {
        id: ids.next("itc"),
        numberId: number.id,
        ownershipEpoch: number.ownershipEpoch,
        promoNumber: e164,
        at: Date.now(),
        ingress: "sip",
        callId,
        callerEnc: null,
        callerHash: null,
        callerLast4: null,
        isSpamCaller: false,
        formerAccountId: null,
      });
    await once();
    await once();
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 1 });
  });

  it("judges a second quarantine by its own callers, those of the first included only if they call again", async () => {
    const { world, e164 } = await quarantined(0);
    for (const caller of ["+14155550101", "+14155550102"]) await callFrom(e164, caller);
    await releaseNumber(movesOf(world), { e164, force: true, ...why });
    await quarantineNumber(movesOf(world), { e164, accountId: null, ...why });
    const number = await numberOf(e164);
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 0, distinctCallers: 0 });
    await callFrom(e164, "+14155550101");
    expect(await summarizeIntercepts(db, number)).toMatchObject({ interceptedCalls: 1, distinctCallers: 1 });
  });

  it("a changed rule makes every quarantined number due at once, and short holds are marked in the history", async () => {
    const { world, e164, number } = await quarantined(0);
    const due = await writeQuarantineSettings(db, { ...defaultQuarantineSettings, holdS: 0, maxRatePerDay: 1e9 });
    expect(due).toContainEqual({ e164, ownershipEpoch: number.ownershipEpoch });
    const input = { e164, ownershipEpoch: number.ownershipEpoch, actor: "job" };
    expect(await advanceNumber(movesOf(world), input)).toEqual({ kind: "released" });
    const next = await makeWorld(db, 1);
    await quarantineNumber(movesOf(next), { e164: next.numbers[0] as E164, accountId: null, ...why });
    const history = await historyOf(db, (await numberOf(next.numbers[0] as E164)).id);
    expect(history.at(-1)?.reason).toContain("below the recommended 45 days");
    await writeQuarantineSettings(db, defaultQuarantineSettings);
  });
});

describe("pool changes", () => {
  it("scaling down drains the least recently presented first, the overflow number with the last", async () => {
    const world = await makeWorld(db, 3, { overflow: "overflow_number" });
    const visitors = [0, 1, 2].map(() => allocationFor(world));
    for (const [i, request] of visitors.entries()) await presentBatch(db, [request], Date.now() - HOUR + i);
    const [n1, n2, n3] = world.numbers as [E164, E164, E164];
    const scale = (size: number) =>
      scalePool({ ...movesOf(world), canBuy: false }, { poolId: world.pool.id, size, buy: false, actor: "test" });
    const scaled = await scale(2);
    expect(scaled.pool).toMatchObject({ size: 2, overflowNumber: world.pool.overflowNumber });
    expect((await numberOf(n1)).state).toBe("draining");
    expect((await numberOf(n2)).state).toBe("draining");
    expect((await numberOf(n3)).state).toBe("assigned");
    await scale(0);
    expect((await numberOf(n3)).state).toBe("draining");
    expect((await numberOf(world.pool.overflowNumber as string)).state).toBe("quarantined");
  });

  it("takes the lowest available numbers, all or none", async () => {
    const world = await makeWorld(db, 1, { maxSize: 100_000, numberType: "local", npa: "415" });
    expect(world.pool.size).toBe(0);
    const numbers = ["+14155550153", "+14155550151", "+14155550152"] as E164[];
    await addInventory(db, [...numbers, "+12125550151" as E164]);
    await expect(addNumbers(movesOf(world), { poolId: world.pool.id, count: 4, actor: "test" })).rejects.toMatchObject({
      code: "inventory_short",
    });
    expect((await addNumbers(movesOf(world), { poolId: world.pool.id, count: 2, actor: "test" })).size).toBe(2);
    expect(await rows(db, "select e164 from promo_number where pool_id = $1 order by 1", [world.pool.id])).toEqual([
      { e164: "+14155550151" },
      { e164: "+14155550152" },
    ]);
  });

  it("refuses to grow over max_size and numbers of another type or area", async () => {
    const world = await makeWorld(db, 1, { maxSize: 2 });
    const conflict = { code: "conflict" };
    const [one] = tollFreeNumbers(1) as [E164];
    const foreign = "+13125550155" as E164;
    await addInventory(db, [one, foreign]);
    const add = (numbers: E164[]) => addNumbers(movesOf(world), { poolId: world.pool.id, numbers, actor: "test" });
    await expect(add([one, foreign])).rejects.toMatchObject(conflict);
    await expect(add([foreign])).rejects.toMatchObject(conflict);
    expect((await numberOf(one)).state).toBe("available");
    expect((await add([one])).size).toBe(2);
  });

  it("a lower max_size drains the surplus; a lifetime above the retention is refused", async () => {
    const world = await makeWorld(db, 3);
    const edit = (changes: object) =>
      editPool(movesOf(world), { poolId: world.pool.id, changes, destination: null, actor: "test" });
    expect(await edit({ maxSize: 1 })).toMatchObject({ size: 1, maxSize: 1 });
    await expect(edit({ retentionS: 60 })).rejects.toMatchObject({ code: "invalid_value" });
  });

  it("a deleted pool drains what was presented and quarantines the rest, at once and for good", async () => {
    const world = await makeWorld(db, 2);
    await presentBatch(db, [allocationFor(world)]);
    await deletePool(movesOf(world), { poolId: world.pool.id, actor: "test" });
    const states = await Promise.all(world.numbers.map(async (e164) => (await numberOf(e164)).state));
    expect(states).toEqual(["draining", "quarantined"]);
    await expect(deletePool(movesOf(world), { poolId: world.pool.id, actor: "test" })).rejects.toMatchObject({
      code: "not_found",
    });
    expect(world.schedule.checks).toHaveLength(2);
  });

  it("two pools that take from the inventory at the same moment never get the same number", async () => {
    const worlds = [await makeWorld(db, 1, { maxSize: 60 }), await makeWorld(db, 1, { maxSize: 60 })];
    await addInventory(db, tollFreeNumbers(100));
    await Promise.all(
      worlds.flatMap((world) =>
        [1, 2, 3].map(() => addNumbers(movesOf(world), { poolId: world.pool.id, count: 10, actor: "test" })),
      ),
    );
    for (const world of worlds)
      expect(
        await rows(db, "select count(*) from promo_number where pool_id = $1 and state = 'assigned'", [world.pool.id]),
      ).toEqual([{ count: 31 }]);
  });
});
