/** What a proxied call's caller hears and who is tried: the contract's rules, which the embedded edge keeps for the business's line (search-rules.ts). */
import { afterAll, describe, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { msBetween } from "../../src/sip/wire-time.js";
import { freshDatabase } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import { nothingLeft, placeOf, presentedNumber, recordOf, startSipWorld } from "../support/sip-world.js";
import { until } from "../support/until.js";
import { answer, routed, uriOf } from "./edge/support/proxied-call.js";
import { callTexts, rawPeer, type RawPeer, respondTo } from "./edge/support/raw-peer.js";

const { db } = await freshDatabase();
const sip = await startSipWorld(db);
const [loopback] = await listTrunks(db);
if (loopback === undefined) throw new Error("no trunk");
await putTrunk(db, { ...loopback, mode: "proxy" });
await sip.service.trunksChanged();
afterAll(() => sip.stop());

/** Somebody calls a business with two targets. */
async function calling(ringTimeoutS?: number) {
  const place = placeOf(sip);
  const [first, second] = [await rawPeer(place), await rawPeer(place)];
  const { number } = await presentedNumber(db, [uriOf(first), uriOf(second)], ringTimeoutS);
  const caller = await rawPeer(place);
  const call = callTexts(caller, place, number);
  caller.send(call.invite());
  const hearsRefusal = async (): Promise<string> => {
    const final = await caller.next("a refusal", (text) => /^SIP\/2\.0 [3-6]/.test(text), 10_000);
    caller.send(call.ack(final));
    return final;
  };
  return { first, second, number, caller, call, hearsRefusal };
}

async function refuses(desk: RawPeer, status: number): Promise<void> {
  const options = { tag: "desk", contact: "sip:elsewhere@192.0.2.1" };
  desk.send(respondTo(await desk.request("INVITE"), status, "No", options));
  await desk.request("ACK");
}

const BEST_RESPONSE = "tries every target and sends its best response";

describe("a caller whom no target of the line takes hears", () => {
  for (const { last, heard, record } of [
    { last: 408, heard: 480, record: "no_answer" },
    { last: 480, heard: 486, record: "no_answer" },
    { last: 486, heard: 486, record: "busy" },
    { last: 600, heard: 486, record: "busy" },
    { last: 500, heard: 503, record: "failed" },
    { last: 503, heard: 503, record: "failed" },
  ]) {
    itOnEdge(`${heard} when the last target said ${last}`, BEST_RESPONSE, async () => {
      const { first, second, number, hearsRefusal } = await calling();
      await refuses(first, 500);
      await refuses(second, last);
      const final = await hearsRefusal();
      expect(final).toMatch(new RegExp(`^SIP/2\\.0 ${heard} `));
      expect(final).not.toContain("192.0.2.1");
      const { attempts } = await recordOf(db, number, record);
      expect(attempts.map(({ sipStatus }) => sipStatus)).toEqual([500, last]);
      await nothingLeft(sip);
    });
  }

  for (const { only, heard } of [
    { only: 302, heard: 503 },
    { only: 401, heard: 503 },
    { only: 404, heard: 503 },
    { only: 603, heard: 603 },
  ]) {
    itOnEdge(`${heard} after a ${only}, and nobody else is tried`, BEST_RESPONSE, async () => {
      const { first, second, number, hearsRefusal } = await calling();
      await refuses(first, only);
      const final = await hearsRefusal();
      expect(final).toMatch(new RegExp(`^SIP/2\\.0 ${heard} `));
      expect(final).not.toContain("192.0.2.1");
      const { attempts } = await recordOf(db, number, "failed");
      expect(attempts).toMatchObject([{ target: uriOf(first), sipStatus: only }]);
      expect(second.inbox).toEqual([]);
      await nothingLeft(sip);
    });
  }

  itOnEdge("480 when nobody answered in time", "knows no ring timeout", async () => {
    const { first, second, number, hearsRefusal } = await calling(1);
    for (const desk of [first, second]) {
      const invite = await desk.request("INVITE");
      desk.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
      desk.send(respondTo(await desk.request("CANCEL"), 200, "OK"));
      desk.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    }
    expect(await hearsRefusal()).toMatch(/^SIP\/2\.0 480 /);
    const { attempts } = await recordOf(db, number, "no_answer");
    expect(attempts).toMatchObject([{ cause: "ring_timeout" }, { cause: "ring_timeout" }]);
    await nothingLeft(sip);
  });
});

itOnEdge("a proxied call has its ringing time on the record", "shows no ringing", async () => {
  const { first, number, caller, call } = await calling();
  const invite = await first.request("INVITE");
  first.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
  await caller.response(180);
  const rungFrom = performance.now();
  await until("it has rung a while", () => performance.now() - rungFrom > 300);
  first.send(answer(first, invite));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
  caller.send(call.inDialog("BYE", ok, 2, routed(ok)));
  first.send(respondTo(await first.request("BYE"), 200, "OK"));
  const record = await recordOf(db, number, "completed");
  expect(record["ring_ms"]).toBeGreaterThanOrEqual(250);
  expect(record["pdd_ms"]).toBeLessThan(250);
  await nothingLeft(sip);
});

it("the time between two frames is right across midnight, and 0 for nonsense", () => {
  expect(msBetween("10:00:00.250000", "10:00:01.000000")).toBe(750);
  expect(msBetween("23:59:59.500000", "00:00:00.250000")).toBe(750);
  expect(msBetween("now", "00:00:00.250000")).toBe(0);
});
