import { describe, expect, it } from "vitest";
import { getCall } from "../../src/attribution/calls.store.js";
import { latestOf, matchCall, type NumberStanding, type PresentedTo } from "../../src/attribution/match.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { deletePool } from "../../src/pool/pool-changes.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { removalOf } from "../../src/pool/promo-number.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { GOLDEN_CASES, type GoldenCase, HOUR, type NumberName } from "../support/golden-cases.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../support/world.js";

const { db } = await freshDatabase();

describe("golden cases, the rule alone", () => {
  for (const golden of GOLDEN_CASES) it(golden.name, () => runPure(golden));
});

describe("golden cases in PostgreSQL", () => {
  for (const golden of GOLDEN_CASES) it(golden.name, () => runStored(golden));
});

interface PureNumber {
  state: "assigned" | "draining" | "quarantined";
  readonly log: PresentedTo[];
}

const RETENTION_MS = 72 * HOUR;

function runPure({ steps }: GoldenCase): void {
  const numbers: Record<string, PureNumber> = {
    n1: { state: "assigned", log: [] },
    n2: { state: "assigned", log: [] },
  };
  const standing = (name: NumberName): NumberStanding => {
    if (name === "other") return { kind: "unknown" };
    if (name === "overflow") return { kind: "overflow" };
    const number = numbers[name] as PureNumber;
    return number.state === "quarantined" ? { kind: "unrouted" } : { kind: "pooled", latest: latestOf(number.log) };
  };
  for (const step of steps) {
    switch (step.do) {
      case "present": {
        const number = step.gets === null ? undefined : numbers[step.gets];
        if (number === undefined) break;
        const entry = {
          seq: number.log.length + 1,
          presentationId: `prs_${step.visitor}`,
          visitorId: step.visitor,
          presentedAt: step.at,
          retainedUntil: step.at + RETENTION_MS,
        };
        // Any order: the rule goes by sequence.
        number.log.unshift(entry);
        break;
      }
      case "quarantine":
        (numbers[step.number] as PureNumber).state = "quarantined";
        break;
      case "delete_pool":
        for (const number of Object.values(numbers)) {
          const retainedUntil = latestOf(number.log)?.retainedUntil ?? null;
          number.state = removalOf({ retainedUntil, drainS: 259_200, skipDraining: false, now: 0 }).to;
        }
        break;
      case "call": {
        const match = matchCall({ standing: standing(step.number), receivedAt: 0 });
        expect(match.outcome).toBe(step.outcome);
        expect(match.outcome === "matched" ? match.presentation.visitorId : undefined).toBe(step.visitor);
        if (match.outcome === "matched") expect(match.ageMs).toBeGreaterThanOrEqual(0);
      }
    }
  }
}

async function runStored(golden: GoldenCase): Promise<void> {
  const world = await makeWorld(db, golden.size, golden.settings);
  const visitors = new Map<string, string>();
  const numberOf = (name: NumberName): string => {
    if (name === "other") return "+18887770001";
    if (name === "overflow") return world.pool.overflowNumber as string;
    return world.numbers[name === "n1" ? 0 : 1] as string;
  };
  const visitorOf = (name: string): string => {
    const known = visitors.get(name) ?? ids.next("vis");
    visitors.set(name, known);
    return known;
  };
  const moves = { db, schedule: world.schedule, ids };
  for (const step of golden.steps) {
    switch (step.do) {
      case "present": {
        const [got] = await presentBatch(db, [allocationFor(world, visitorOf(step.visitor))], Date.now() + step.at);
        const number =
          got?.kind === "exhausted"
            ? got.overflowNumber
            : got?.kind === "presented" || got?.kind === "renewed"
              ? got.promoNumber
              : got;
        expect(number).toBe(step.gets === null ? null : numberOf(step.gets));
        break;
      }
      case "quarantine":
        await quarantineNumber(moves, {
          e164: numberOf(step.number),
          accountId: world.account.id,
          reason: "test",
          actor: "test",
        });
        break;
      case "delete_pool":
        await deletePool(moves, { poolId: world.pool.id, actor: "test" });
        break;
      case "call": {
        const opened = await callNow(numberOf(step.number));
        const seen = { outcome: step.outcome, visitorId: step.visitor === undefined ? null : visitorOf(step.visitor) };
        expect(opened).toMatchObject({ disposition: step.disposition, attribution: { ...seen, late: false } });
        if (golden.clockAhead) break;
        const late = await callNow(numberOf(step.number), opened.receivedAt);
        expect(late).toMatchObject({ disposition: step.disposition, attribution: { ...seen, late: true } });
        expect(late.attribution.presentationId).toBe(opened.attribution.presentationId);
        expect(late.attribution.presentedAt).toBe(opened.attribution.presentedAt);
      }
    }
  }
}

/** One call through the same path as every ingress; `late`: attributed afterwards, as of then. */
async function callNow(number: string, late: number | null = null) {
  const { ref } = await openCall({ db, ids, secrets }, { call: inboundCall(number), callId: ids.next("call"), late });
  return getCall(db, { id: ref.callId, accountId: null });
}
