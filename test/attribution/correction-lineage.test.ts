/** Whatever is learnt of a call in whatever order: one unbroken chain, no row of which ever changes, and a newest row that says what a reader expects. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { CallRecord } from "../../src/attribution/call-record.js";
import { getCall, listCalls, listRevisions } from "../../src/attribution/calls.store.js";
import { correctCall, recordSignals } from "../../src/attribution/corrections/correct-call.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../support/world.js";

const { db } = await freshDatabase();
const world = await makeWorld(db, 1);
const AN_HOUR_MS = 3_600_000;

const amount = fc.oneof(
  fc.integer({ min: -500, max: 5000 }).map((cents) => cents / 100),
  fc.constant(null),
);
const said = fc.constantFrom(true, false, null);
const step = fc.oneof(
  fc.record({
    kind: fc.constant("correction" as const),
    change: fc.record({ conversion: said, revenue: amount }, { requiredKeys: [] }),
    match: fc.constantFrom(undefined, "nobody" as const, "visitor" as const),
    customData: fc.option(fc.dictionary(fc.constantFrom("a", "b"), fc.integer()), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant("signals" as const),
    signals: fc.array(
      fc.record({
        name: fc.constantFrom("sale", "quote"),
        partnerUniqueId: fc.constantFrom("", "1"),
        value: said,
        revenue: amount,
        occurredAt: fc.constantFrom(1_700_000_000_000, 1_800_000_000_000),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const [seen] = await presentBatch(db, [allocationFor(world)], Date.now() - AN_HOUR_MS);
if (seen === undefined || !("promoNumber" in seen)) throw new Error("no number was presented");
const { promoNumber, visitorId } = seen;

async function finishedCall(): Promise<string> {
  const opening = { call: inboundCall(promoNumber), callId: ids.next("call"), late: null };
  const { ref } = await openCall({ db, secrets, ids }, opening);
  const ended = { kind: "ended", status: "completed", releasedBy: "caller", cause: "200", authority: 1 } as const;
  const events = [{ ...ended, talkMs: null, at: ref.receivedAt + 1000 }];
  await db.transaction((tx) => foldEvents(tx, [{ ref, events }]));
  return ref.callId;
}

/** What a reader of the list of steps would say; no rule of ours. */
function expected(steps: readonly Step[]): { conversion: boolean | null; cents: number | null; owner: string } {
  let conversion: boolean | null = null;
  let revenue: number | null = null;
  let owner = "visitor";
  const facts = new Map<string, { value: boolean | null; revenue: number | null }>();
  for (const one of steps) {
    if (one.kind === "signals") {
      for (const signal of one.signals) facts.set(`${signal.name}/${signal.partnerUniqueId}`, signal);
      continue;
    }
    if ("conversion" in one.change) conversion = one.change.conversion ?? null;
    if ("revenue" in one.change) revenue = one.change.revenue ?? null;
    owner = one.match ?? owner;
  }
  const values = [...facts.values()];
  const sales = values.filter((fact) => fact.value === true && fact.revenue !== null);
  const happened = values.some((fact) => fact.value === true);
  const denied = values.some((fact) => fact.value === false);
  const cents = sales.reduce((sum, fact) => sum + Math.round((fact.revenue ?? 0) * 100), 0);
  return {
    conversion: conversion ?? (happened ? true : denied ? false : null),
    cents: revenue === null ? (sales.length === 0 ? null : cents) : Math.round(revenue * 100),
    owner,
  };
}

it("every history of corrections and signals is one chain of unchanging rows", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const id = await finishedCall();
      const rows = async (): Promise<CallRecord[]> => {
        const { callId, receivedAt } = await getCall(db, { id, accountId: null });
        return listRevisions(db, { callId, receivedAt, after: -1, limit: 100 });
      };
      let before = await rows();
      for (const [i, one] of steps.entries()) {
        // By any row's id.
        const asked = { id: before[i % before.length]?.id ?? id, accountId: world.account.id, actor: "test" };
        if (one.kind === "signals") await recordSignals({ db, ids }, { ...asked, signals: one.signals });
        else await correctCall({ db, ids }, { ...asked, reason: "test", ...changeOf(one) });
        const after = await rows();
        expect(after.slice(0, before.length).map(facts)).toEqual(before.map(facts));
        expect(after.length - before.length).toBeLessThanOrEqual(1);
        before = after;
      }
      for (const [i, row] of before.entries()) {
        expect([row.revision, row.correctedById]).toEqual([i, before[i + 1]?.id ?? null]);
        expect(row.correction?.correctsId).toBe(before[i - 1]?.id);
      }
      const [newest] = before.slice(-1);
      const { conversion, cents, owner } = expected(steps);
      expect(newest?.conversion).toBe(conversion);
      expect(typeof newest?.revenue === "number" ? Math.round(newest.revenue * 100) : null).toBe(cents);
      expect(newest?.attribution.visitorId).toBe(owner === "visitor" ? visitorId : null);
      const listed = await listCalls(db, { ...EVERYTHING, limit: 1 });
      expect(listed).toEqual([newest]);
    }),
    { numRuns: 40 },
  );
});

const EVERYTHING = {
  ...{ accountId: null, from: null, to: null, promoNumber: null, poolId: null },
  ...{ disposition: null, attribution: null, updatedSince: null, before: null },
} as const;

function changeOf(one: Extract<Step, { kind: "correction" }>) {
  const match =
    one.match === "nobody"
      ? ({ kind: "nobody", outcome: "unattributable" } as const)
      : one.match === "visitor"
        ? ({ kind: "visitor", visitorId } as const)
        : undefined;
  return { ...one.change, match, customData: one.customData };
}

/** All but which row came after it, and when the call was last touched. */
function facts(row: CallRecord): object {
  const { correctedById: _next, updatedAt: _touched, ...rest } = row;
  return rest;
}
