/** Any sequence of presenting, renewing, calling, removing, adding, scaling, releasing and waiting does what the reference says, to the last column. */
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import type { Account } from "../../src/account/accounts.store.js";
import { readNumbersFacts } from "../../src/attribution/match.store.js";
import { type Database, timestamp } from "../../src/db/database.js";
import { AppError } from "../../src/kernel/errors.js";
import { advanceNumber, releaseNumber } from "../../src/pool/number-moves.js";
import { findNumber, type PromoNumber } from "../../src/pool/numbers.store.js";
import { addNumbers, createPool, removeFromPool } from "../../src/pool/pool-changes.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import type { Pool } from "../../src/pool/pools.store.js";
import { presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { defaultQuarantineSettings, writeQuarantineSettings } from "../../src/pool/quarantine-settings.js";
import { decideCall } from "../../src/routing/open-call.js";
import type { E164 } from "../../src/telephony/e164.js";
import { findBrokenSequences, findDoubleLeases, findSplitVisitors, type LockExtension } from "../support/audit.js";
import { freshDatabase, rows } from "../support/database.js";
import {
  addInventory,
  allocationFor,
  ids,
  inboundCall,
  makeAccount,
  makeDestination,
  RecordingSchedule,
} from "../support/world.js";
import { type Num, Reference, RULE } from "./support/reference.js";

const { db } = await freshDatabase();
const T0 = Date.parse("2026-11-23T12:00:00Z");
const NUMBERS = 3;
const VISITORS = 4;
const RUNS = 80;
const actor = { actor: "test", reason: "test" };
const extensions: LockExtension[] = [];
let area = 200;

// The least that the rule allows beside the hold, so that the reference needs no statistics: they have tests of their own.
await writeQuarantineSettings(db, { ...defaultQuarantineSettings, holdS: RULE.hold / 1000, maxRatePerDay: 1e9 });

class Real {
  constructor(
    readonly model: Reference,
    readonly account: Account,
    readonly pool: Pool,
    readonly visitors: readonly string[],
  ) {}

  get now(): number {
    return T0 + this.model.now;
  }

  /** The database with the model's clock. */
  get clocked(): Database {
    const setNow = { name: "", text: "select set_config('ringmatch.now', $1, true)" };
    return {
      ...db,
      transaction: (work) =>
        db.transaction(async (tx) => {
          await tx.query(setNow, [timestamp(this.now)]);
          return work(tx);
        }),
    };
  }

  get deps() {
    return { db: this.clocked, ids, schedule: new RecordingSchedule() };
  }

  visitorOf(id: string | null): number | null {
    return id === null ? null : this.visitors.indexOf(id);
  }
}

/** Each run has an area code, and so an inventory, of its own. */
async function makeReal(): Promise<Real> {
  while (/^(8(00|22|33|44|55|66|77|88)|\d11)$/.test(String(++area)));
  const numbers = Array.from({ length: NUMBERS }, (_, i) => `+1${area}555${1000 + i}` as E164);
  await addInventory(db, numbers);
  const account = await makeAccount(db);
  const destination = await makeDestination(db, account, `+1${area}5550100`);
  const model = new Reference(numbers);
  const pool = await createPool(
    { db, ids, schedule: new RecordingSchedule() },
    {
      pool: {
        accountId: account.id,
        name: "pool",
        kind: "automatic",
        campaign: null,
        destinationId: destination.id,
        numberType: "local",
        npa: String(area),
        sessionLifetimeS: RULE.lifetime / 1000,
        retentionS: RULE.retention / 1000,
        maxSize: 10 * NUMBERS,
        overflow: "original_number",
        drainS: RULE.drain / 1000,
        autoscale: null,
        npaFallback: [],
      },
      fillImmediately: true,
      actor: "test",
    },
  );
  model.scale(NUMBERS);
  return new Real(
    model,
    account,
    pool,
    Array.from({ length: VISITORS }, () => ids.next("vis")),
  );
}

type Command = fc.AsyncCommand<Reference, Real>;

function command(name: string, run: (model: Reference, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

/** Whether it was done; refusals are the domain's own. */
async function done(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

const numberAt = (model: Reference, index: number) => model.numbers[index] as Num;

const present = (visitor: number) =>
  command(`visitor ${visitor} looks`, async (model, real) => {
    // A moment each, so that the log alone tells the order of a visitor's numbers.
    model.now += 1;
    const request = { ...allocationFor(real, real.visitors[visitor]) };
    const [outcome] = await presentBatch(db, [request], real.now);
    const expected = model.present(visitor);
    if (expected.kind === "exhausted")
      return expect(outcome).toMatchObject({ kind: "exhausted", overflowNumber: null });
    const { kind, number } = expected;
    if (kind === "presented") number.presentation = request.presentationId;
    expect(outcome).toMatchObject({
      kind,
      promoNumber: number.e164,
      presentationId: number.presentation,
      lockedUntil: T0 + number.locked,
    });
  });

const renew = (visitor: number, index: number) =>
  command(`visitor ${visitor} renews what number ${index} was shown as`, async (model, real) => {
    const presentation = numberAt(model, index).presentation ?? "prs_none";
    const asked = {
      accountId: real.account.id,
      visitorId: real.visitors[visitor] as string,
      presentationIds: [presentation],
    };
    const [renewed] = await renewLocks(db, asked, real.now);
    const locked = model.renew(visitor, presentation);
    expect(renewed).toEqual({
      presentationId: presentation,
      outcome: locked === null ? "lost" : "renewed",
      lockedUntil: locked === null ? null : T0 + locked,
    });
    if (locked !== null) extensions.push({ presentationId: presentation, lockedUntil: T0 + locked });
  });

const call = (index: number) =>
  command(`number ${index} is called`, async (model, real) => {
    const number = numberAt(model, index);
    const [seen] = await readNumbersFacts(db, [{ e164: number.e164, ingressKey: null }]);
    const opening = { call: inboundCall(number.e164), callId: ids.next("call") };
    const { attribution, decision } = decideCall(opening, { facts: seen?.facts ?? null, now: real.now, isLate: false });
    const expected = model.call(number);
    expect({ outcome: attribution.outcome, visitor: real.visitorOf(attribution.visitorId) }).toEqual(expected);
    expect(decision.kind).toBe(expected.outcome === "quarantined" ? "intercept" : "route");
  });

const remove = (index: number) =>
  command(`number ${index} is removed`, async (model, real) => {
    const number = numberAt(model, index);
    const input = { poolId: real.pool.id, e164: number.e164, skipDraining: false, ...actor };
    expect(await done(removeFromPool(real.deps, input))).toBe(model.remove(number));
  });

const add = (index: number) =>
  command(`number ${index} is added`, async (model, real) => {
    const number = numberAt(model, index);
    const input = { poolId: real.pool.id, numbers: [number.e164], actor: "test" };
    expect(await done(addNumbers(real.deps, input))).toBe(model.add(number));
  });

const release = (index: number) =>
  command(`number ${index} is released by force`, async (model, real) => {
    const number = numberAt(model, index);
    expect(await done(releaseNumber(real.deps, { e164: number.e164, force: true, ...actor }))).toBe(
      model.release(number),
    );
  });

const scale = (size: number) =>
  command(`scaled to ${size}`, async (model, real) => {
    expect(
      await done(scalePool({ ...real.deps, canBuy: false }, { poolId: real.pool.id, size, buy: false, actor: "test" })),
    ).toBe(model.scale(size));
  });

/** Every number is looked at afterwards, due or not, as a job that comes early or twice would. */
const pass = (ms: number) =>
  command(`${ms / 1000} s pass`, async (model, real) => {
    model.pass(ms);
    for (const { e164 } of model.numbers) {
      const { ownershipEpoch } = (await findNumber(db, e164)) as PromoNumber;
      await advanceNumber(real.deps, { e164, ownershipEpoch, actor: "test" });
    }
  });

/** Somebody looks at the very end of the first lock, or retention, that ends: a moment before, then, or a moment after. */
const lookAtTheEnd = (visitor: number, edge: "locked" | "retained", offset: number) =>
  command(`visitor ${visitor} looks ${offset} ms after the next ${edge} ends`, async (model, real) => {
    const ends = model.in("assigned").map((n) => n[edge]);
    const end = Math.min(...ends.filter((at) => at > model.now));
    // Looking itself takes a millisecond.
    const ms = end + offset - model.now - 1;
    if (Number.isFinite(ms) && ms > 0) await pass(ms).run(model, real);
    await present(visitor).run(model, real);
  });

const visitor = fc.nat(VISITORS - 1);
const index = fc.nat(NUMBERS - 1);
const { lifetime, retention, drain, hold } = RULE;
const commands = [
  visitor.map(present),
  visitor.map(present),
  visitor.map(present),
  fc.tuple(visitor, index).map(([v, i]) => renew(v, i)),
  index.map(call),
  index.map(call),
  index.map(remove),
  index.map(add),
  index.map(release),
  fc.nat(NUMBERS).map(scale),
  fc.constantFrom(0, 1, 1_000, lifetime - 1, lifetime, drain, retention - 1, retention, retention + 1, hold).map(pass),
  fc.constantFrom(lifetime / 2, lifetime / 2, lifetime - 1).map(pass),
  fc
    .tuple(visitor, fc.constantFrom("locked" as const, "retained" as const), fc.integer({ min: -1, max: 1 }))
    .map(([v, edge, offset]) => lookAtTheEnd(v, edge, offset)),
];

async function stateOf(real: Real): Promise<unknown[]> {
  const found = await rows(
    db,
    `select e164, state, visitor_id, held_by, locked_until, retained_until, last_presented_at from promo_number
     where e164 = any ($1) order by e164`,
    [real.model.numbers.map(({ e164 }) => e164)],
  );
  const since = (at: unknown) => (at as number) - T0;
  return found.map((row) => ({
    e164: row["e164"],
    state: row["state"],
    visitor: real.visitorOf(row["visitor_id"] as string | null),
    holder: real.visitorOf(row["held_by"] as string | null),
    shown: since(row["last_presented_at"]),
    locked: since(row["locked_until"]),
    retained: since(row["retained_until"]),
  }));
}

it("any sequence of commands does what the reference says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: "max" }), async (sequence) => {
      const real = await makeReal();
      await fc.asyncModelRun(() => ({ model: real.model, real }), sequence);
      const expected = real.model.numbers.map(({ presentation: _p, due: _d, ...row }) => row);
      expect(await stateOf(real)).toEqual(expected.map((row) => expect.objectContaining(row)));
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false },
  );
});

afterAll(async () => {
  expect((await rows(db, "select count(*) from presentation"))[0]?.["count"]).toBeGreaterThan(RUNS);
  expect(await findDoubleLeases(db, extensions)).toEqual([]);
  expect(await findSplitVisitors(db)).toEqual([]);
  expect(await findBrokenSequences(db)).toEqual([]);
});
