/** Simulated calls by every carrier's voice that can be spoken without its API, against the service as it is composed. */
import { afterAll, describe, expect, it } from "vitest";
import { CARRIERS } from "../../src/account/carrier-credentials.store.js";
import { updateDestination } from "../../src/account/destinations.store.js";
import type { CarrierVoice, Outcome } from "../../src/dev/carrier-voices/carrier-voice.js";
import { CARRIER_VOICES } from "../../src/dev/carrier-voices/carrier-voices.js";
import { twilioVoice } from "../../src/dev/carrier-voices/twilio-voice.js";
import { chooseVoices } from "../../src/dev/demo-carriers.js";
import { type CarrierLine, WebhookCaller } from "../../src/dev/webhook-caller.js";
import { systemRandom } from "../../src/kernel/random.js";
import { freshDatabase, rows } from "../support/database.js";
import { startServiceHere } from "../support/service-here.js";
import { until } from "../support/until.js";
import { makeWorld } from "../support/world.js";

const PUBLIC_URL = "https://calls.example.com/below";
const FAILOVER = "+14155550111";
const CALLER = "+14155550123";
const ANSWERED: Outcome = { kind: "answered", talkS: 7, releasedBy: "caller" };

const { db, url } = await freshDatabase();
const service = await startServiceHere({ databaseUrl: url, publicUrl: PUBLIC_URL });
afterAll(() => service.stop());

/** A visitor's number, and a line of the account's own. */
async function lineOf(voice: CarrierVoice): Promise<{ line: CarrierLine; to: string; visitorId: string }> {
  const world = await makeWorld(db, 1);
  await updateDestination(db, world.destination, { failover: [FAILOVER] });
  const { tagKey: tag_key, id: account_id } = world.account;
  const page = { url: "https://shop.example/?utm_source=bing" };
  const shown = await service.api("POST", "/v1/presentations", { tag_key, numbers: ["+18005550100"], page });
  const [presentation] = shown["presentations"] as { outcome: string; promo_number: string }[];
  expect(presentation?.outcome).toBe("presented");
  const keys = voice.makeKeys(systemRandom);
  await service.api("PUT", `/v1/carriers/${voice.carrier}`, { account_id, ...keys.credential });
  return { line: { voice, keys }, to: presentation?.promo_number ?? "", visitorId: String(shown["visitor_id"]) };
}

function callerOf(outcomes: readonly Outcome[], random = systemRandom): WebhookCaller {
  const left = [...outcomes];
  const nextOutcome = (): Outcome => left.shift() ?? expect.fail("rang once too often");
  return new WebhookCaller({ httpUrl: service.httpUrl, publicUrl: PUBLIC_URL, now: Date.now, random, nextOutcome });
}

const call = (to: string) => ({ to, from: CALLER, isVerified: true, callerName: null });
const ended = (to: string) =>
  until("the call is over", async () => {
    const page = await service.api("GET", `/v1/calls?promo_number=${encodeURIComponent(to)}`);
    const [record, ...others] = page["data"] as Record<string, unknown>[];
    expect(others).toEqual([]);
    return typeof record?.["ended_at"] === "string" ? record : null;
  });

describe.each(chooseVoices(CARRIER_VOICES, null))("a call by $name", (voice) => {
  it("is answered, and ends as a completed record of its visitor", async () => {
    const { line, to, visitorId } = await lineOf(voice);
    expect(await callerOf([ANSWERED]).call(line, call(to))).toBe(true);
    expect(await ended(to)).toMatchObject({
      ingress: voice.carrier,
      status: "completed",
      talk_ms: 7_000,
      caller: { last4: "0123" },
      attribution: { outcome: "matched", visitor_id: visitorId, touch: { utm_source: "bing" } },
    });
  });

  it("hunts on as it is told", async () => {
    const { line, to } = await lineOf(voice);
    const outcomes: Outcome[] = voice.canHunt ? [{ kind: "busy" }, ANSWERED] : [{ kind: "busy" }];
    expect(await callerOf(outcomes).call(line, call(to))).toBe(voice.canHunt);
    const { attempts, status } = await ended(to);
    expect([status, (attempts as { target: string }[]).map(({ target }) => target)]).toEqual(
      voice.canHunt ? ["completed", ["+18005550100", FAILOVER]] : ["busy", ["+18005550100"]],
    );
  });

  it("is one record though every request comes twice", async () => {
    const { line, to } = await lineOf(voice);
    const twice = {
      ...systemRandom,
      bytes: (count: number) => (count === 4 ? Buffer.alloc(4) : systemRandom.bytes(count)),
    };
    expect(await callerOf([ANSWERED], twice).call(line, call(to))).toBe(true);
    expect(await ended(to)).toMatchObject({ status: "completed" });
    expect(await rows(db, "select count(*) from call where promo_number = $1", [to])).toEqual([{ count: 1 }]);
  });
});

describe("a call", () => {
  it("fails when it is not signed by the account's keys", async () => {
    const { line, to } = await lineOf(twilioVoice);
    const forged = { ...line, keys: twilioVoice.makeKeys(systemRandom) };
    await expect(callerOf([]).call(forged, call(to))).rejects.toThrow(/twilio: POST was answered 403/);
  });

  it("fails to a number that nobody has, without ringing anybody", async () => {
    const { line } = await lineOf(twilioVoice);
    await service.api("PUT", "/v1/carriers/twilio", { ...line.keys.credential });
    expect(await callerOf([]).call(line, call("+18887770099"))).toBe(false);
  });
});

describe("the carriers to speak as", () => {
  const commanded = { ...twilioVoice, carrier: "telnyx", name: "telnyx call control" } as const;
  const texml = { ...twilioVoice, carrier: "telnyx", name: "telnyx texml" } as const;
  const voices = [twilioVoice, commanded, texml, { ...texml, name: "telnyx other" }];

  it("are all that need no API of theirs, one voice each", () => {
    expect(chooseVoices(voices, null)).toEqual([twilioVoice, texml]);
    expect(chooseVoices([commanded, twilioVoice], null)).toEqual([twilioVoice]);
  });

  it("are those that were named, once", () => {
    expect(chooseVoices(voices, "telnyx, twilio,telnyx")).toEqual([texml, twilioVoice]);
  });

  it.each(["acme", "", "twilio,", "telnyx call control"])("name what is none: %j", (names) => {
    expect(() => chooseVoices(voices, names)).toThrow(
      /There is no carrier ".*" to speak as; --carriers takes twilio, telnyx\./,
    );
  });

  it("are of carriers that exist", () => {
    for (const { carrier } of chooseVoices(CARRIER_VOICES, null)) expect(CARRIERS).toContain(carrier);
  });
});
