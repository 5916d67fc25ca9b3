/** What every carrier's calls have in common, spoken in each carrier's language: matching, hunting, ends, refusals, and one record a call. */
import { afterAll, describe, expect, it } from "vitest";
import { CARRIER_VOICES } from "../../../src/dev/carrier-voices/carrier-voices.js";
import type { Outcome } from "../../../src/dev/carrier-voices/carrier-voice.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import { rows } from "../../support/database.js";
import { until } from "../../support/until.js";
import { allocationFor, makeWorld, type World } from "../../support/world.js";
import { tablesHolding } from "../support/leaks.js";
import { CALLER } from "../support/caller.js";
import { type Speaker, speakAs, startSpeaking } from "../support/speaking.js";
import { PUBLIC_URL } from "../support/webhook-service.js";

const BUSINESS = "+18005550100";
const ANSWERED: Outcome = { kind: "answered", talkS: 12, releasedBy: "caller" };
const AT_ONCE = 500;

describe.each(CARRIER_VOICES)("$name", (voice) => {
  const started = startSpeaking(voice);
  afterAll(async () => (await started).service.stop());

  const presented = async (world: World): Promise<{ promoNumber: string; visitorId: string }> => {
    const { db, service } = await started;
    const [got] = await presentBatch(db, [allocationFor(world)], null);
    if (got?.kind !== "presented") throw new Error(`not presented: ${JSON.stringify(got)}`);
    // On a machine so slow that the call is not matched in time, the routing table says whom to ring; it hears of a new number a moment later,
    // and of what world() changed at last.
    const [kept] = await rows<{ s: number }>(db, "select ring_timeout_s as s from destination where id = $1", [
      world.destination.id,
    ]);
    const known = () => service.routing.deps.table.find(got.promoNumber)?.destination;
    await until("the routing table has the number", () => known()?.ringTimeoutS === kept?.s);
    return got;
  };
  const world = async (size = 1, failover: readonly string[] = []): Promise<World> => {
    const { db } = await started;
    const made = await makeWorld(db, size);
    await rows(db, "update destination set failover = $2, ring_timeout_s = 17 where id = $1", [
      made.destination.id,
      failover,
    ]);
    return made;
  };
  const quarantined = async (): Promise<{ number: string; world: World }> => {
    const { db } = await started;
    const made = await makeWorld(db, 1);
    const number = made.numbers[0] as string;
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: made.schedule }, { e164: number, accountId: made.account.id, ...why });
    return { number, world: made };
  };
  const end = async (speaker: Speaker, call: Parameters<Speaker["ring"]>[0], outcome: Outcome, target = BUSINESS) => {
    const heard = await speaker.ringThrough(call);
    expect(heard.target).toBe(target);
    const ended = speaker.voice.dialEnded(call, { heard, outcome, baseUrl: PUBLIC_URL });
    return speaker.send(ended);
  };

  it("routed: the business rings, and the call belongs to the visitor", async () => {
    const { speaker } = await started;
    const { promoNumber, visitorId } = await presented(await world(2));
    const call = speaker.call(promoNumber);
    const heard = await speaker.ring(call);
    expect(heard).toMatchObject({
      kind: "dial",
      target: BUSINESS,
      ringTimeoutS: 17,
      whisperUrl: null,
      isRecorded: false,
    });
    expect(await speaker.record(call)).toMatchObject({
      ingress: voice.carrier,
      ingressCallId: call.id,
      promoNumber,
      disposition: "routed",
      status: "ringing",
      destinationNumber: BUSINESS,
      caller: { last4: CALLER.slice(-4) },
      verstat: null,
      attribution: { outcome: "matched", visitorId, late: false },
    });
  });

  it("talks and ends: the record is complete, whoever hung up", async () => {
    const { speaker } = await started;
    for (const releasedBy of ["caller", "callee"] as const) {
      const call = speaker.call((await presented(await world())).promoNumber);
      const heard = await speaker.ringThrough(call);
      const baseUrl = PUBLIC_URL;
      for (const state of ["ringing", "answered"] as const) {
        const progress = voice.progress(call, { heard, state, baseUrl });
        if (progress !== null) expect((await speaker.send(progress)).status).toBe(200);
      }
      const outcome: Outcome = { ...ANSWERED, releasedBy };
      expect((await speaker.send(voice.dialEnded(call, { heard, outcome, baseUrl }))).status).toBe(200);
      const leg = voice.legEnded?.(call, { heard, outcome, baseUrl });
      if (leg !== undefined) expect((await speaker.send(leg)).status).toBe(200);
      const over = voice.callEnded(call, { outcome, baseUrl });
      if (over !== null) expect((await speaker.send(over)).status).toBe(200);
      const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
      const talkMs: unknown = voice.tellsTalk === false ? expect.any(Number) : 12_000;
      expect(record).toMatchObject({ talkMs, hangupCause: null });
      expect(record.answeredAt).not.toBeNull();
      expect([releasedBy, null]).toContain(record.releasedBy);
      expect(record.progress.attempts).toMatchObject([{ target: BUSINESS, cause: null }]);
    }
  });

  it("records the network's verdict of the caller, and a withheld caller as nobody", async () => {
    const { speaker } = await started;
    const { promoNumber } = await presented(await world());
    const trusted = speaker.call(promoNumber, { isVerified: true });
    await speaker.ringThrough(trusted);
    const spoken = voice.voice(trusted, PUBLIC_URL);
    const isSpoken =
      JSON.stringify(spoken) !== JSON.stringify(voice.voice({ ...trusted, isVerified: false }, PUBLIC_URL));
    const { verstat } = await speaker.record(trusted);
    if (isSpoken) expect(verstat).toMatch(/^[\w-]{1,64}$/);
    else expect(verstat).toBeNull();
    const withheld = speaker.call(promoNumber, { from: null });
    await speaker.ringThrough(withheld);
    expect((await speaker.record(withheld)).caller).toEqual({ enc: null, hash: null, last4: null });
  });

  it.runIf(voice.canHunt)("hunts: busy, then nobody, then the next one answers", async () => {
    const { speaker } = await started;
    const failover = ["+14155550111", "+14155550122"];
    const call = speaker.call((await presented(await world(1, failover))).promoNumber);
    let heard = await speaker.ringThrough(call);
    for (const [at, kind] of (["busy", "no_answer"] as const).entries()) {
      const ended = voice.dialEnded(call, { heard, outcome: { kind }, baseUrl: PUBLIC_URL });
      const next = voice.hear(await speaker.send(ended), call);
      if (next.kind !== "dial") throw new Error(`hunt is over: ${JSON.stringify(next)}`);
      expect(next).toMatchObject({ target: failover[at], announcement: null });
      heard = next;
    }
    await speaker.send(voice.dialEnded(call, { heard, outcome: ANSWERED, baseUrl: PUBLIC_URL }));
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record.progress.attempts).toMatchObject([
      { target: BUSINESS, cause: "busy" },
      { target: failover[0], cause: "no_answer" },
      { target: failover[1], cause: null },
    ]);
  });

  it.each([
    ["busy", "busy"],
    ["no_answer", "no_answer"],
    ["failed", "failed"],
    ["canceled", "canceled"],
  ] as const)("nobody else to try: %s ends the call as %s", async (kind, status) => {
    const { speaker } = await started;
    const call = speaker.call((await presented(await world())).promoNumber);
    const answer = await end(speaker, call, { kind });
    expect(answer.status).toBe(200);
    expect(["hangup", "nothing", "busy", "reject"]).toContain(voice.hear(answer, call).kind);
    const over = voice.callEnded(call, { outcome: { kind }, baseUrl: PUBLIC_URL });
    if (over !== null) expect((await speaker.send(over)).status).toBe(200);
    expect(await speaker.recordWhen(call, ({ endedAt }) => endedAt !== null)).toMatchObject({ status, talkMs: null });
  });

  it("overflow: a shared number rings the business and belongs to nobody", async () => {
    const { db, speaker } = await started;
    const made = await makeWorld(db, 1, { overflow: "overflow_number" });
    await presented(made);
    const [full] = await presentBatch(db, [allocationFor(made)], null);
    if (full?.kind !== "exhausted" || full.overflowNumber === null) throw new Error("not exhausted");
    const call = speaker.call(full.overflowNumber);
    expect(await speaker.ring(call)).toMatchObject({ kind: "dial", target: BUSINESS });
    expect(await speaker.record(call)).toMatchObject({
      disposition: "routed",
      attribution: { outcome: "overflow", visitorId: null },
    });
  });

  it("quarantined: rejected or announced as the credential says, never connected, logged", async () => {
    const { db, service, speaker } = await started;
    const rejected = await quarantined();
    const first = speaker.call(rejected.number);
    expect(["reject", "hangup"]).toContain((await speaker.ring(first)).kind);
    const { id } = await speaker.record(first);
    expect(
      await rows(db, "select call_id, counted, ingress from intercept where promo_number = $1", [rejected.number]),
    ).toEqual([{ call_id: id, counted: true, ingress: voice.carrier }]);
    const announced = await quarantined();
    const accountId = announced.world.account.id;
    const announcing = await speakAs({ db, service, voice, accountId, intercept: "announce" });
    const second = announcing.call(announced.number);
    const heard = await announcing.ring(second);
    expect(heard).toMatchObject({ kind: "announce", text: expect.stringContaining("not in service") as string });
    expect(await announcing.record(second)).toMatchObject({ disposition: "intercepted", status: "intercepted" });
  });

  it("unknown: refused politely, recorded", async () => {
    const { speaker } = await started;
    const call = speaker.call("+18887770099");
    expect(["reject", "hangup"]).toContain((await speaker.ring(call)).kind);
    expect(await speaker.record(call)).toMatchObject({ disposition: "unknown_number", accountId: null });
  });

  it("duplicated: at once and again, the same answer, one record, one attempt", async () => {
    const { db, speaker } = await started;
    const call = speaker.call((await presented(await world())).promoNumber);
    const request = voice.voice(call, PUBLIC_URL);
    const together = await Promise.all(Array.from({ length: 5 }, () => speaker.send(request)));
    const again = await speaker.send(request);
    expect(new Set([...together, again].map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    const record = await speaker.recordWhen(call, ({ progress }) => progress.attempts.length > 0);
    expect(record.progress.attempts).toHaveLength(1);
    expect(await rows(db, "select id from call where ingress_call_id = $1", [call.id])).toHaveLength(1);
  });

  it("reordered: the end first, then the answer and the call itself; the record is one and stays over", async () => {
    const { db, speaker } = await started;
    const { promoNumber, visitorId } = await presented(await world());
    const model = speaker.call((await presented(await world())).promoNumber);
    const heard = await speaker.ringThrough(model);
    const call = speaker.call(promoNumber);
    // The answer to a call is known beforehand but for the promo number in its URLs.
    const asHeard = {
      ...heard,
      dialUrl: swapped(heard.dialUrl, model.to, promoNumber),
      statusUrl: swapped(heard.statusUrl, model.to, promoNumber),
    };
    const over = voice.callEnded(call, { outcome: ANSWERED, baseUrl: PUBLIC_URL });
    const ended = voice.dialEnded(call, { heard: asHeard, outcome: ANSWERED, baseUrl: PUBLIC_URL });
    const rang = voice.progress(call, { heard: asHeard, state: "ringing", baseUrl: PUBLIC_URL });
    for (const request of [over, ended, rang, voice.voice(call, PUBLIC_URL)])
      if (request !== null) expect((await speaker.send(request)).status).toBe(200);
    const record = await speaker.recordWhen(call, ({ status }) => status === "completed");
    expect(record.attribution).toMatchObject({ outcome: "matched", visitorId });
    expect(await rows(db, "select id from call where ingress_call_id = $1", [call.id])).toHaveLength(1);
  });

  it("reordered: a target was busy before its call was heard of; the record says who it was", async () => {
    const { speaker } = await started;
    const { promoNumber } = await presented(await world());
    const model = speaker.call((await presented(await world())).promoNumber);
    const heard = await speaker.ringThrough(model);
    const call = speaker.call(promoNumber);
    const asHeard = { ...heard, dialUrl: swapped(heard.dialUrl, model.to, promoNumber) };
    const ended = voice.dialEnded(call, { heard: asHeard, outcome: { kind: "busy" }, baseUrl: PUBLIC_URL });
    for (const request of [ended, voice.voice(call, PUBLIC_URL)])
      expect((await speaker.send(request)).status).toBe(200);
    const record = await speaker.recordWhen(call, ({ progress }) => progress.attempts[0]?.target !== "");
    expect(record.progress.attempts).toMatchObject([{ target: BUSINESS, cause: "busy" }]);
  });

  it(`${AT_ONCE} at once each find their own visitor, and nothing holds a caller in plain`, async () => {
    const { db, service, speaker } = await started;
    const made = await makeWorld(db, AT_ONCE);
    const requests = Array.from({ length: AT_ONCE }, () => allocationFor(made));
    const got = [...(await presentBatch(db, requests.slice(0, 250))), ...(await presentBatch(db, requests.slice(250)))];
    const visitors = new Map(
      got.map((one) => (one.kind === "presented" ? [one.promoNumber, one.visitorId] : ["", ""])),
    );
    expect(visitors.size).toBe(AT_ONCE);
    const calls = [...visitors.keys()].map((number) => speaker.call(number));
    const heard = await Promise.all(calls.map((call) => speaker.ring(call)));
    expect(new Set(heard.map((one) => one.kind === "dial" && one.target))).toEqual(new Set([BUSINESS]));
    const recorded = await until("every call has its record", async () => {
      await service.routing.callLog.replayNow();
      const found = await rows<{ called: string; attribution: string; visitor_id: string }>(
        db,
        "select promo_number as called, attribution, visitor_id from call where ingress_call_id = any ($1)",
        [calls.map(({ id }) => id)],
      );
      return found.length === AT_ONCE ? found : null;
    });
    for (const { called, attribution, visitor_id } of recorded)
      expect([attribution, visitor_id]).toEqual(["matched", visitors.get(called)]);
    expect(new Set(recorded.map(({ called }) => called)).size).toBe(AT_ONCE);
    expect(await tablesHolding(db, CALLER.slice(1))).toEqual([]);
  });
});

function swapped(url: string | null, from: string, to: string): string | null {
  return url === null ? null : url.replace(encodeURIComponent(from), encodeURIComponent(to));
}
