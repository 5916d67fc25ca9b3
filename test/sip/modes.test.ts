/** How a trunk's mode decides what becomes of a routed call. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk, type Trunk } from "../../src/account/trunks.store.js";
import { freshDatabase } from "../support/database.js";
import { nothingLeft, presentedNumber, recordOf, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

async function useMode(mode: Trunk["mode"]): Promise<void> {
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, mode });
  await sip.service.reloadTrunks();
}

describe("a trunk in mode redirect", () => {
  it("sends the carrier to the targets in order, and the record is routed, attributed and has no talk time", async () => {
    await useMode("redirect");
    const { number, visitorId } = await presentedNumber(db, ["sip:first@192.0.2.1", "sip:second@192.0.2.2"]);
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
    await nothingLeft(sip);
  });

  it("refuses with 503 where no target can be named", async () => {
    await useMode("redirect");
    const { number } = await presentedNumber(db, []);
    await (await sipp({ scenario: "uac-refused", remote: sip.address, service: number, status: 503 })).done;
    expect(await recordOf(db, number, "failed")).toMatchObject({ attribution: "matched" });
  });
});
