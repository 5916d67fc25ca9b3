/** The golden cases of attribution, over every carrier's webhooks. */
import { afterAll, describe, expect, it } from "vitest";
import { CARRIER_VOICES } from "../../../src/dev/carrier-voices/carrier-voices.js";
import type { Database } from "../../../src/db/database.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { deletePool } from "../../../src/pool/pool-changes.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { GOLDEN_CASES, type GoldenCase, type NumberName } from "../../support/golden-cases.js";
import { allocationFor, ids, makeWorld } from "../../support/world.js";
import { type Speaker, startSpeaking } from "../support/speaking.js";

describe.each(CARRIER_VOICES)("$name", (voice) => {
  const started = startSpeaking(voice);
  afterAll(async () => (await started).service.stop());

  for (const golden of GOLDEN_CASES) it(golden.name, async () => runGolden(golden, await started));
});

async function runGolden(golden: GoldenCase, { db, speaker }: { db: Database; speaker: Speaker }): Promise<void> {
  const world = await makeWorld(db, golden.size, golden.settings);
  const moves = { db, schedule: world.schedule, ids };
  const visitors = new Map<string, string>();
  const visitorOf = (name: string): string => {
    const known = visitors.get(name) ?? ids.next("vis");
    visitors.set(name, known);
    return known;
  };
  const numberOf = (name: NumberName): string => {
    if (name === "other") return "+18887770001";
    return (name === "overflow" ? world.pool.overflowNumber : world.numbers[name === "n1" ? 0 : 1]) as string;
  };
  for (const step of golden.steps) {
    switch (step.do) {
      case "present":
        await presentBatch(db, [allocationFor(world, visitorOf(step.visitor))], Date.now() + step.at);
        break;
      case "quarantine": {
        const why = { reason: "test", actor: "test" };
        await quarantineNumber(moves, { e164: numberOf(step.number), accountId: world.account.id, ...why });
        break;
      }
      case "delete_pool":
        await deletePool(moves, { poolId: world.pool.id, actor: "test" });
        break;
      case "call": {
        const call = speaker.call(numberOf(step.number));
        const heard = await speaker.ring(call);
        if (step.disposition === "routed") expect(heard).toMatchObject({ kind: "dial", target: "+18005550100" });
        else expect(["reject", "hangup"]).toContain(heard.kind);
        const visitorId = step.visitor === undefined ? null : visitorOf(step.visitor);
        expect(await speaker.record(call)).toMatchObject({
          disposition: step.disposition,
          attribution: { outcome: step.outcome, visitorId },
        });
      }
    }
  }
}
