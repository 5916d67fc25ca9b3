/** How a trunk's mode decides what becomes of a routed call. */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk, type Trunk } from "../../src/account/trunks.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld } from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";
import { callTexts, rawPeer } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

async function useMode(mode: Trunk["mode"]): Promise<void> {
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, mode });
  await sip.service.trunksChanged();
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

it("a change of trunks that cannot be read at once counts as soon as it can", async () => {
  await useMode("b2bua");
  const [trunk] = await listTrunks(db);
  if (trunk === undefined) throw new Error("no trunk");
  await putTrunk(db, { ...trunk, mode: "redirect" });
  await rows(db, "alter table trunk rename to trunk_away");
  await sip.service.trunksChanged();
  await rows(db, "alter table trunk_away rename to trunk");
  const { number } = await presentedNumber(db, ["sip:first@192.0.2.1"]);
  const caller = await rawPeer(placeOf(sip));
  await until("the call is redirected", async () => {
    const call = callTexts(caller, placeOf(sip), number);
    caller.send(call.invite());
    // Bridged meanwhile, to somebody who is not there.
    const patience = setTimeout(() => caller.send(call.cancel()), 300);
    const final = await caller.next("an end", (text) => /^SIP\/2\.0 (302|487|503) .*CSeq: 1 INVITE/s.test(text));
    clearTimeout(patience);
    caller.send(call.ack(final));
    return final.startsWith("SIP/2.0 302");
  });
  await nothingLeft(sip);
});
