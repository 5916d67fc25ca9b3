/** How a trunk's mode decides what becomes of a routed call. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk, type Trunk } from "../../src/account/trunks.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase } from "../support/database.js";
import { recordOf, setTargets, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { allocationFor, makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

async function useMode(mode: Trunk["mode"]): Promise<void> {
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, mode });
  await sip.service.reloadTrunks();
}

async function presented(targets: readonly string[]) {
  const world = await makeWorld(db, 1);
  await setTargets(db, world.destination.id, targets);
  const [outcome] = await presentBatch(db, [allocationFor(world)]);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  return { number: outcome.promoNumber, visitorId: outcome.visitorId };
}

describe("a trunk in mode redirect", () => {
  it("sends the carrier to the targets in order, and the record is routed, attributed and has no talk time", async () => {
    await useMode("redirect");
    const { number, visitorId } = await presented(["sip:first@192.0.2.1", "sip:second@192.0.2.2"]);
    const caller = await sipp({ scenario: "uac-redirected", remote: sip.address, service: number });
    await caller.done;
    const record = await recordOf(db, number, "completed");
    expect(record).toMatchObject({
      disposition: "routed",
      attribution: "matched",
      visitor_id: visitorId,
      released_by: "system",
      hangup_cause: "redirected",
      answered_at: null,
      talk_ms: null,
    });
    expect(record.attempts).toMatchObject([{ target: "sip:first@192.0.2.1", sipStatus: null }]);
    expect(sip.service.liveCalls).toBe(0);
    expect(sip.edge.activeDialogs()).toBe(0);
  });

  it("refuses with 503 where no target can be named", async () => {
    await useMode("redirect");
    const { number } = await presented([]);
    await (await sipp({ scenario: "uac-refused", remote: sip.address, service: number, status: 503 })).done;
    expect(await recordOf(db, number, "failed")).toMatchObject({ attribution: "matched" });
  });
});
