/**
 * Random worlds of accounts, pools of every overflow kind, visitors, moves of numbers and calls in time and late: every record equals what brute force
 * over the list of happenings says, and what replay says. A failing world is told by its seed and path; RANDOM_WORLDS_SEED runs another one.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Account } from "../../src/account/accounts.store.js";
import { getCall } from "../../src/attribution/calls.store.js";
import { readNumberFacts } from "../../src/attribution/match.store.js";
import { insertCalls } from "../../src/attribution/new-calls.store.js";
import { replayWindow } from "../../src/attribution/replay/replay-window.js";
import { AppError } from "../../src/kernel/errors.js";
import { advanceNumber, quarantineNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { findNumber, type PromoNumber } from "../../src/pool/numbers.store.js";
import { addNumbers, createPool, deletePool, removeFromPool } from "../../src/pool/pool-changes.js";
import type { Pool } from "../../src/pool/pools.store.js";
import { presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import type { OverflowBehaviour } from "../../src/pool/ring-pool.js";
import { decideCall, isIntercepted, newRecord, writeIntercepted } from "../../src/routing/open-call.js";
import { type LateOpening, openLateCalls } from "../../src/routing/open-late-calls.js";
import type { E164 } from "../../src/telephony/e164.js";
import { atTime } from "../support/at-time.js";
import { freshDatabase } from "../support/database.js";
import {
  addInventory,
  allocationFor,
  ids,
  inboundCall,
  makeAccount,
  makeDestination,
  RecordingSchedule,
  secrets,
} from "../support/world.js";
import { type Happening, Shelf, type Truth, truthOf } from "./support/oracle.js";

const { db } = await freshDatabase();
const SEED = Number(process.env["RANDOM_WORLDS_SEED"] ?? 20_261_123);
const WORLDS = 30;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The database's own clock has not come this far: history written before a world begins is before it. */
const FIRST_WORLD = Date.UTC(2030, 0, 1);
const NUMBERS = 5;
const VISITORS = 4;
const HOLD_MS = 2 * DAY;
const why = { reason: "test", actor: "test" };

// As short as it can be, so that numbers come to a second owner.
await writeQuarantineSettings(db, { ...defaultQuarantineSettings, holdS: HOLD_MS / 1000, maxRatePerDay: 1e9 });

/** Many at the same moment, many within a lock, some beyond every retention. */
const gap = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: HOUR }) },
  { weight: 2, arbitrary: fc.integer({ min: HOUR, max: 12 * HOUR }) },
  { weight: 1, arbitrary: fc.integer({ min: DAY, max: 4 * DAY }) },
);
const pick = fc.nat({ max: 59 });
const kind = fc.constantFrom(
  ...(["present", "present", "present", "present", "renew", "call", "call", "late", "late", "settle"] as const),
  ...(["remove", "remove", "add", "bring back", "advance", "release", "quarantine", "delete pool"] as const),
);
const step = fc.record({ do: kind, a: pick, b: pick, flag: fc.boolean(), afterMs: gap });
const poolPlan = fc.record({
  account: fc.nat({ max: 1 }),
  overflow: fc.constantFrom<OverflowBehaviour>("overflow_number", "original_number", "reuse_oldest"),
  size: fc.integer({ min: 1, max: 3 }),
  lifetimeS: fc.constantFrom<number>(60, 1_800, 7_200),
  retentionS: fc.constantFrom<number>(7_200, 86_400, 259_200),
});
const world = fc.record({
  pools: fc.array(poolPlan, { minLength: 1, maxLength: 3 }),
  steps: fc.array(step, { minLength: 5, maxLength: 30 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type PoolPlan = typeof poolPlan extends fc.Arbitrary<infer T> ? T : never;

/** Seen in pool 0, lent to pool 1 and seen there, back in pool 0: it begins anew, for a call in time and for a late one. Too rare to wait for. */
const RETURN_TO_A_POOL = {
  pools: [0, 1].map(() => ({
    account: 0,
    overflow: "original_number" as const,
    size: 1,
    lifetimeS: 60,
    retentionS: 259_200,
  })),
  steps: (
    [
      ["present", 0],
      ["remove", 1, true],
      ["remove", 0],
      ["bring back", 1],
      ["present", 1],
      ["remove", 1],
      ["bring back", 0],
      ["call", 0],
      ["late", 0],
    ] as const
  ).map(([what, a, flag = false]) => ({ do: what, a, b: 0, flag, afterMs: HOUR })),
};

let worlds = 0;
let area = 200;

describe("in any world of visitors, pools, moves and calls", () => {
  it(`records are what brute force says, and what replay says (seed ${SEED})`, async () => {
    const seen: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(world, async ({ pools, steps }) => {
        const played = await play(pools, steps);
        for (const outcome of await checkRecords(played)) seen[outcome] = (seen[outcome] ?? 0) + 1;
        await checkReplay(played);
      }),
      { seed: SEED, numRuns: WORLDS, examples: [[RETURN_TO_A_POOL]] },
    );
    // Worlds in which nothing happens would prove nothing.
    for (const outcome of ["matched", "expired", "never_presented", "overflow", "quarantined", "unattributable"])
      expect([outcome, seen[outcome] ?? 0]).not.toEqual([outcome, 0]);
  });
});

interface Expected {
  readonly id: string;
  readonly late: boolean;
  readonly truth: Truth;
}

class PlayedWorld {
  readonly happened: Happening[] = [];
  readonly expected: Expected[] = [];
  readonly waiting: LateOpening[] = [];
  readonly shelf = new Shelf();
  readonly known = new Map<string, PromoNumber>();
  readonly visitors = Array.from({ length: VISITORS }, () => ids.next("vis"));
  readonly begins: number;
  now: number;

  constructor(
    readonly numbers: readonly E164[],
    readonly pools: { readonly pool: Pool; readonly account: Account }[],
    begins: number,
  ) {
    this.begins = begins;
    this.now = begins;
  }

  get deps() {
    return { db: atTime(db, this.now), ids, schedule: new RecordingSchedule() };
  }

  /** What GET /v1/numbers says now, where it is not what it said before. */
  async note(): Promise<void> {
    for (const number of this.numbers) {
      const now = await findNumber(db, number);
      const before = this.known.get(number);
      if (now === null || (before?.state === now.state && before.poolId === now.poolId && before.role === now.role))
        continue;
      this.known.set(number, now);
      if (before !== undefined) this.shelf.moved(number, before.accountId !== now.accountId);
      const { state, role, poolId: pool } = now;
      this.happened.push({ kind: "moved", at: this.now, number, state, role, pool });
    }
  }

  numbersOf(pool: Pool): E164[] {
    const isOurs = (number: string): boolean => {
      const known = this.known.get(number);
      return known?.poolId === pool.id && known.state === "assigned" && known.role === "pool";
    };
    return this.numbers.filter(isOurs);
  }
}

async function play(plans: readonly PoolPlan[], steps: readonly Step[]): Promise<PlayedWorld> {
  const played = await makePlayedWorld(plans);
  for (const [index, one] of steps.entries()) {
    played.now += one.afterMs;
    await STEPS[one.do](played, one, index);
    await played.note();
  }
  await STEPS.settle(played, steps[0] as Step, 0);
  return played;
}

/** Numbers of an area code of their own, some left in the inventory. */
async function makePlayedWorld(plans: readonly PoolPlan[]): Promise<PlayedWorld> {
  while (/^(8(00|22|33|44|55|66|77|88)|\d11)$/.test(String(++area)));
  const numbers = Array.from({ length: NUMBERS }, (_, i) => `+1${area}555${1000 + i}` as E164);
  for (const number of numbers) await addInventory(db, [number]);
  const accounts = [await makeAccount(db), await makeAccount(db)];
  const begins = FIRST_WORLD + worlds++ * 150 * DAY;
  const deps = { db: atTime(db, begins), ids, schedule: new RecordingSchedule() };
  const pools: { pool: Pool; account: Account }[] = [];
  for (const [i, plan] of plans.entries()) {
    const account = accounts[plan.account] as Account;
    const destination = await makeDestination(db, account, `+1${area}55501${10 + i}`);
    const pool = await createPool(deps, {
      pool: {
        accountId: account.id,
        name: "pool",
        kind: "automatic",
        campaign: null,
        destinationId: destination.id,
        numberType: "local",
        npa: String(area),
        sessionLifetimeS: plan.lifetimeS,
        retentionS: plan.retentionS,
        maxSize: plan.size,
        overflow: plan.overflow,
        drainS: 86_400,
        autoscale: null,
        npaFallback: [],
      },
      fillImmediately: true,
      actor: "test",
    });
    pools.push({ pool, account });
  }
  const played = new PlayedWorld(numbers, pools, begins);
  await played.note();
  return played;
}

type Play = (played: PlayedWorld, one: Step, index: number) => Promise<void>;

const at = <T>(list: readonly T[], place: number): T => list[place % list.length] as T;

const STEPS: Record<Step["do"], Play> = {
  present: async (played, { a, b, flag }, index) => {
    const { pool, account } = at(played.pools, a);
    const visitor = at(played.visitors, b);
    const request = {
      ...allocationFor({ account, pool }, visitorOf(visitor, account)),
      touch: flag ? { utm_source: `source ${index}` } : {},
      customData: b % 2 === 0 ? { [`field${a % 3}`]: index } : {},
    };
    const numbers = played.numbersOf(pool);
    const expected = played.shelf.expected(numbers, request.visitorId, played.now, pool.overflow === "reuse_oldest");
    const [outcome] = await presentBatch(db, [request], played.now);
    if (outcome?.kind === "gone") return expect(numbers).toEqual([]);
    if (outcome?.kind !== "presented" && outcome?.kind !== "renewed") return expect(expected).toBeNull();
    expect(outcome.promoNumber).toBe(expected);
    const retentionMs = pool.retentionS * 1000;
    const times = { now: played.now, lockMs: pool.sessionLifetimeS * 1000, retentionMs, numbers };
    played.shelf.shown(outcome.promoNumber, outcome.visitorId, times);
    played.happened.push({
      kind: "shown",
      at: played.now,
      number: outcome.promoNumber,
      pool: pool.id,
      visitor: outcome.visitorId,
      presentation: outcome.presentationId,
      isRenewal: outcome.kind === "renewed",
      touch: request.touch,
      customData: request.customData,
      retentionMs,
    });
  },
  // Only the lock grows: nothing of it may show in an attribution.
  renew: async (played, { a, b }) => {
    const { account } = at(played.pools, a);
    const last = played.happened.findLast((one) => one.kind === "shown");
    if (last?.kind !== "shown") return;
    const visitorId = visitorOf(at(played.visitors, b), account);
    const input = { accountId: account.id, visitorId, presentationIds: [last.presentation] };
    const [renewal] = await renewLocks(db, input, played.now);
    if (renewal?.outcome === "renewed") played.shelf.extended(last.number, renewal.lockedUntil);
  },
  call: async (played, { a }) => {
    const number = numberCalled(played, a);
    const callId = ids.next("call");
    const { facts } = await readNumberFacts(db, number);
    const matched = decideCall({ call: inboundCall(number), callId }, { now: played.now, facts, isLate: false });
    if (isIntercepted(matched)) await writeIntercepted({ db, ids, secrets }, matched);
    else await insertCalls(db, [newRecord({ db, ids, secrets }, matched)]);
    played.expected.push({ id: callId, late: false, truth: truthOf(played.happened, number, played.now) });
  },
  late: async (played, { a }) => {
    const call = inboundCall(numberCalled(played, a));
    played.waiting.push({ call, callId: ids.next("call"), receivedAt: played.now, events: [] });
  },
  settle: async (played) => {
    const calls = played.waiting.splice(0);
    await openLateCalls({ db, ids, secrets }, calls);
    for (const { call, callId, receivedAt } of calls) {
      const before = played.happened.filter((one) => one.at <= receivedAt);
      played.expected.push({ id: callId, late: true, truth: truthOf(before, call.promoNumber, receivedAt) });
    }
  },
  remove: (played, { a, b, flag }) => {
    const { pool } = at(played.pools, a);
    const held = played.numbers.filter((number) => played.known.get(number)?.poolId === pool.id);
    const e164 = held.length === 0 ? at(played.numbers, b) : at(held, b);
    return refusable(removeFromPool(played.deps, { poolId: pool.id, e164, skipDraining: flag, ...why }));
  },
  add: (played, { a }) =>
    refusable(addNumbers(played.deps, { poolId: at(played.pools, a).pool.id, count: 1, actor: "test" })),
  "bring back": (played, { a, b }) => {
    const draining = played.numbers.filter((number) => played.known.get(number)?.state === "draining");
    const numbers = [draining.length === 0 ? at(played.numbers, b) : at(draining, b)];
    return refusable(addNumbers(played.deps, { poolId: at(played.pools, a).pool.id, numbers, actor: "test" }));
  },
  advance: async (played) => {
    for (const e164 of played.numbers) {
      const ownershipEpoch = played.known.get(e164)?.ownershipEpoch ?? 0;
      await advanceNumber(played.deps, { e164, ownershipEpoch, actor: "job:test" });
    }
  },
  release: (played, { b }) =>
    refusable(releaseNumber(played.deps, { e164: at(played.numbers, b), force: true, ...why })),
  quarantine: (played, { b }) =>
    refusable(quarantineNumber(played.deps, { e164: at(played.numbers, b), accountId: null, ...why })),
  "delete pool": async (played, { a, b }) => {
    // Rarely: a world without pools is a dull one.
    if (b % 4 === 0) await refusable(deletePool(played.deps, { poolId: at(played.pools, a).pool.id, actor: "test" }));
  },
};

/** A visitor id belongs to one account. */
function visitorOf(visitor: string, account: Account): string {
  return `${visitor.slice(0, -4)}${account.id.slice(-4)}`;
}

/** Most often one of the world's, sometimes one that is nobody's. */
function numberCalled(played: PlayedWorld, place: number): string {
  return place % 12 === 11 ? `+1${area}5559999` : at(played.numbers, place);
}

/** Refusals are the domain's own. */
async function refusable(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
}

/** @returns the outcomes met */
async function checkRecords({ expected }: PlayedWorld): Promise<string[]> {
  for (const { id, late, truth } of expected) {
    const { attribution } = await getCall(db, { id, accountId: null });
    const { outcome, presentationId, visitorId, presentedAt, touch, customData } = attribution;
    expect({ id, late: attribution.late, outcome, presentationId, visitorId, presentedAt, touch, customData }).toEqual({
      id,
      late,
      ...truth,
    });
  }
  return expected.map(({ truth }) => truth.outcome);
}

async function checkReplay({ begins, now, expected }: PlayedWorld): Promise<void> {
  // Pages of a few calls, so that a page's end is met as well.
  const report = await replayWindow(db, { from: begins, to: now + 1, accountId: null }, 3);
  expect(report.differences).toEqual([]);
  expect(report).toMatchObject({
    calls: expected.length,
    equal: expected.length,
    different: 0,
    unverifiable: { log_purged: 0, source_changed: 0 },
    late: expected.filter(({ late }) => late).length,
  });
}
