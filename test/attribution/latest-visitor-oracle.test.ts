import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getCall } from "../../src/attribution/calls.store.js";
import { readCandidates } from "../../src/attribution/match.store.js";
import { presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";

const { db } = await freshDatabase();
const HOUR = 3_600_000;
const LIFETIME_MS = HOUR / 2;
const RETENTION_MS = 72 * HOUR;
const SIZE = 3;

type Step =
  | { readonly do: "present"; readonly visitor: number; readonly afterMs: number }
  | { readonly do: "renew"; readonly visitor: number; readonly afterMs: number };

/** Steps minutes to two days apart, so that locks, retentions and re-presentations all happen. */
const gap = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: HOUR }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 8 * HOUR }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 48 * HOUR }) },
);
const step = fc.record({
  do: fc.constantFrom("present" as const, "present" as const, "renew" as const),
  visitor: fc.nat({ max: 5 }),
  afterMs: gap,
});

interface ModelNumber {
  readonly e164: string;
  presentedAt: number;
  lockedUntil: number;
  retainedUntil: number;
  visitor: number | null;
  holder: number | null;
  presentationId: string;
}

/** The whole product rule by brute force: a list of numbers, looked through from the start each time. */
class Oracle {
  readonly numbers: ModelNumber[];

  constructor(world: World) {
    this.numbers = world.numbers.map((e164) => ({
      e164,
      presentedAt: -Infinity,
      lockedUntil: -Infinity,
      retainedUntil: -Infinity,
      visitor: null,
      holder: null,
      presentationId: "",
    }));
  }

  present(
    visitor: number,
    now: number,
    presentationId: string,
  ): { e164: string | null; presentationId: string | null } {
    const held = this.numbers.find((n) => n.holder === visitor);
    if (held !== undefined && (held.retainedUntil >= now || held.lockedUntil > now)) {
      if (held.retainedUntil < now) held.presentationId = presentationId;
      this.give(held, visitor, now, Math.max(held.lockedUntil, now + LIFETIME_MS));
      return held;
    }
    if (held !== undefined) held.holder = null;
    const [free] = this.numbers.filter((n) => n.lockedUntil <= now).sort((a, b) => a.presentedAt - b.presentedAt);
    if (free === undefined) return { e164: null, presentationId: null };
    free.presentationId = presentationId;
    this.give(free, visitor, now, now + LIFETIME_MS);
    return free;
  }

  renew(visitor: number, now: number): boolean {
    const held = this.numbers.find((n) => n.holder === visitor);
    if (held === undefined || (held.retainedUntil < now && held.lockedUntil <= now)) return false;
    held.lockedUntil = Math.max(held.lockedUntil, now + LIFETIME_MS);
    return true;
  }

  private give(number: ModelNumber, visitor: number, now: number, lockedUntil: number): void {
    Object.assign(number, {
      visitor,
      holder: visitor,
      presentedAt: now,
      lockedUntil,
      retainedUntil: now + RETENTION_MS,
    });
  }
}

describe("in any world of presentations, renewals and calls", () => {
  it("PostgreSQL gives the numbers, and calls the visitors, that brute force gives", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const world = await makeWorld(db, SIZE);
        const oracle = new Oracle(world);
        const visitors = Array.from({ length: 6 }, () => ids.next("vis"));
        const span = steps.reduce((sum, s) => sum + s.afterMs, 0);
        // The world ends now, when the calls come.
        let now = Date.now() - span;
        for (const one of steps) {
          now += one.afterMs;
          await play(world, oracle, visitors, one, now);
        }
        await callEveryNumber(oracle, visitors);
      }),
      { numRuns: 60 },
    );
  });
});

async function play(world: World, oracle: Oracle, visitors: readonly string[], one: Step, now: number): Promise<void> {
  const visitorId = visitors[one.visitor] as string;
  if (one.do === "renew") {
    const held = oracle.numbers.find((n) => n.holder === one.visitor);
    const presentationIds = [held?.presentationId ?? "prs_none"];
    const [renewal] = await renewLocks(db, { accountId: world.account.id, visitorId, presentationIds }, now);
    const renewed = oracle.renew(one.visitor, now);
    expect(renewal?.outcome).toBe(renewed ? "renewed" : "lost");
    if (renewed) expect(renewal?.lockedUntil).toBe(held?.lockedUntil);
    return;
  }
  const request = allocationFor(world, visitorId);
  const [outcome] = await presentBatch(db, [request], now);
  const expected = oracle.present(one.visitor, now, request.presentationId);
  if (expected.e164 === null) expect(outcome?.kind).toBe("exhausted");
  else expect(outcome).toMatchObject({ promoNumber: expected.e164, presentationId: expected.presentationId });
}

async function callEveryNumber(oracle: Oracle, visitors: readonly string[]): Promise<void> {
  for (const number of oracle.numbers) {
    const call = { call: inboundCall(number.e164), callId: ids.next("call"), late: null };
    const { ref } = await openCall({ db, ids, secrets }, call);
    const record = await getCall(db, { id: ref.callId, accountId: null });
    const { attribution, receivedAt } = record;
    const outcome =
      number.visitor === null ? "never_presented" : receivedAt > number.retainedUntil ? "expired" : "matched";
    const visitorId = outcome === "matched" ? visitors[number.visitor as number] : null;
    expect(attribution).toMatchObject({ outcome, visitorId });
    if (outcome !== "matched") continue;
    expect(attribution).toMatchObject({ presentationId: number.presentationId, presentedAt: number.presentedAt });
    // The log tells the same story as the row.
    const [latest] = await readCandidates(db, {
      accountId: record.accountId as string,
      poolId: record.poolId as string,
      numberId: record.numberId as number,
      ownershipEpoch: record.ownershipEpoch as number,
      matchedSeq: attribution.matchedSeq as number,
      receivedAt,
    });
    expect(latest).toMatchObject({ presentationId: attribution.presentationId, seq: attribution.matchedSeq });
  }
}
