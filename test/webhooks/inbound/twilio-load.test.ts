import { afterAll, expect, it } from "vitest";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../../support/database.js";
import { until } from "../../support/until.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { tablesHolding } from "../support/leaks.js";
import { CALLER } from "../support/caller.js";
import { dialled, incomingCall } from "../support/twilio-stand-in.js";
import { putTwilio, recordOf, startWebhooks } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);
const service = await startWebhooks(db);
const { twilio, routing } = service;
afterAll(() => service.stop());

const CALLS = 200;

it(`${CALLS} calls at once each find their own visitor, complete, and nothing holds a caller in plain`, async () => {
  const world = await makeWorld(db, CALLS);
  await until("the table knows the numbers", () => routing.table.find(world.numbers[CALLS - 1] as string)?.destination);
  const presented = await presentBatch(
    db,
    Array.from({ length: CALLS }, () => allocationFor(world)),
    null,
  );
  const visitors = new Map(
    presented.map((got) => (got.kind === "presented" ? [got.promoNumber, got.visitorId] : ["", ""])),
  );
  expect(visitors.size).toBe(CALLS);
  const calls = [...visitors.keys()].map((number) => incomingCall(number));
  await Promise.all(
    calls.map(async (call) => {
      const answer = await twilio.voice(call);
      expect(answer.status).toBe(200);
      expect(dialled(answer)).toBe("+18005550100");
      await twilio.legStatus(answer, call, { CallStatus: "in-progress" });
      await twilio.dialEnded(answer, call, { DialCallStatus: "completed", DialCallDuration: "5" });
      await twilio.status(call, { CallStatus: "completed", CallDuration: "6" });
    }),
  );
  await until("everything is written", async () => {
    await routing.callLog.replayNow();
    const [open] = await rows<{ count: number }>(db, "select count(*) as count from call where status <> 'completed'");
    return routing.spool.isEmpty && open?.count === 0;
  });
  for (const call of calls) {
    expect(await recordOf(db, credentialId, call)).toMatchObject({
      status: "completed",
      talkMs: 5_000,
      attribution: { outcome: "matched", visitorId: visitors.get(call["To"] as string) },
    });
  }
  expect(await rows(db, "select 1 from call")).toHaveLength(CALLS);
  expect(await tablesHolding(db, CALLER.slice(1))).toEqual([]);
  expect(await tablesHolding(db, (calls[0] as { CallSid: string }).CallSid)).toEqual(
    expect.arrayContaining(["call_key", "webhook_delivery"]),
  );
});
