/** Who the network or the carrier says calls, and who forwarded the call: from a webhook to the record, sealed on every way. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../../src/attribution/call-record.js";
import { freshDatabase } from "../../support/database.js";
import { until } from "../../support/until.js";
import { makeWorld, secrets } from "../../support/world.js";
import { tablesHolding } from "../support/leaks.js";
import { dialled, incomingCall, type Params } from "../support/twilio-stand-in.js";
import { putTwilio, settledRecord, startLinkedWebhooks } from "../support/webhook-service.js";

const NAME = "ZÖE QUARTZ-7";
const FORWARDER = "+12126739824";

const { db, url } = await freshDatabase();
const credentialId = await putTwilio(db);
const { service, link, stop } = await startLinkedWebhooks(url);
const { twilio, routing } = service;
afterEach(() => link.mend());
afterAll(stop);

const numberOf = async (): Promise<string> => {
  const [number = ""] = (await makeWorld(db, 1)).numbers;
  await until("the routing table knows the number", () => routing.table.find(number)?.destination);
  return number;
};
const record = (call: Params): Promise<CallRecord> => settledRecord(db, { service, credentialId, call });
const nameIn = ({ callerName }: CallRecord): string | null => (callerName === null ? null : secrets.open(callerName));

describe("the caller's name", () => {
  it("of a webhook is recorded, sealed", async () => {
    const call = incomingCall(await numberOf(), { CallerName: NAME });
    await twilio.voice(call);
    expect(nameIn(await record(call))).toBe(NAME);
    expect(await tablesHolding(db, "QUARTZ")).toEqual([]);
  });

  it.each([
    ["without one", {}],
    ["with an empty one", { CallerName: " " }],
    ["withheld with the number", { CallerName: NAME, From: "+266696687" }],
  ])("is nobody's %s", async (_how, changes: Params) => {
    const call = incomingCall(await numberOf(), changes);
    await twilio.voice(call);
    expect(nameIn(await record(call))).toBeNull();
  });

  it("is bounded text", async () => {
    const call = incomingCall(await numberOf(), { CallerName: `\u0000A\r\nB\u202e${"c".repeat(500)}` });
    await twilio.voice(call);
    expect(nameIn(await record(call))).toBe(`AB${"c".repeat(126)}`);
  });

  it("survives PostgreSQL's absence, in the spool as sealed as everywhere", async () => {
    const number = await numberOf();
    await twilio.voice(incomingCall(number));
    link.cut();
    const call = incomingCall(number, { CallerName: NAME, ForwardedFrom: FORWARDER });
    expect(dialled(await twilio.voice(call))).toBe("+18005550100");
    const spooled = routing.spooled();
    expect(spooled).toContain(call["CallSid"]);
    expect(spooled).not.toContain("QUARTZ");
    expect(spooled).not.toContain(FORWARDER.slice(1));
    link.mend();
    const late = await record(call);
    expect(late.attribution.late).toBe(true);
    expect(nameIn(late)).toBe(NAME);
    expect(late.diversion?.last4).toBe(FORWARDER.slice(-4));
  });
});

describe("who forwarded the call", () => {
  it("is recorded, sealed", async () => {
    const call = incomingCall(await numberOf(), { ForwardedFrom: FORWARDER });
    await twilio.voice(call);
    const { diversion } = await record(call);
    expect(diversion?.last4).toBe(FORWARDER.slice(-4));
    expect(secrets.open(diversion?.enc as Buffer)).toBe(FORWARDER);
    expect(await tablesHolding(db, FORWARDER.slice(1))).toEqual([]);
  });

  it.each(["", "anonymous", "+266696687", "12126739824x"])(
    "is nobody when it is no number: %j",
    async (ForwardedFrom) => {
      const call = incomingCall(await numberOf(), { ForwardedFrom });
      await twilio.voice(call);
      expect((await record(call)).diversion).toBeNull();
    },
  );
});
