import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { updateAccount } from "../../src/account/accounts.store.js";
import { getCall } from "../../src/attribution/calls.store.js";
import { PRIOR_MODEL } from "../../src/attribution/judging/delay-model.js";
import { readModel } from "../../src/attribution/judging/delay-model.store.js";
import { explainMatch } from "../../src/attribution/explain.js";
import { VISITS_MAX } from "../../src/attribution/judging/judge.store.js";
import { readCandidates } from "../../src/attribution/candidates.store.js";
import { updateModel } from "../../src/attribution/judging/measure-models.js";
import { getPool } from "../../src/pool/pools.store.js";
import { createStatic } from "../../src/pool/static-numbers.js";
import { freshDatabase, rows } from "../support/database.js";
import { callTo, endCalls, openTo, presentTo } from "../support/judged.js";
import { writeCalls } from "../support/pool-log.js";
import { addInventory, ids, makeDestination, makeWorld, tollFreeNumbers } from "../support/world.js";

const { db } = await freshDatabase();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const page = (url: string, more: Record<string, unknown> = {}) => ({ url: `https://shop.test${url}`, ...more });

describe("a call that is over", () => {
  it("knows its visitor's first touch, landing page, referrer, channel and consent; one that rings does not yet", async () => {
    const world = await makeWorld(db, 1);
    const visitor = ids.next("vis");
    const now = Date.now();
    const first = { utm_source: "news", utm_medium: "email" };
    await presentTo(db, world, visitor, { touch: first, context: page("/letter"), at: now - 5 * DAY });
    const ad = { gclid: "g1", utm_campaign: "spring" };
    const consent = { ads: true, version: 3 };
    const referrer = "https://www.google.com/";
    await presentTo(db, world, visitor, { touch: ad, context: page("/ad", { referrer }), at: now - HOUR });
    const number = await presentTo(db, world, visitor, { context: page("/contact", { consent }), at: now - 60_000 });
    const ref = await openTo(db, number);
    const ringing = await getCall(db, { id: ref.callId, accountId: null });
    expect(ringing).toMatchObject({ judgedAt: null, attribution: { touch: ad, firstTouch: null, channel: null } });
    // Whoever looks at the pages while the phone rings changes nothing about what led to the call.
    await presentTo(db, world, visitor, { touch: { utm_source: "later" }, context: page("/later") });
    const [record] = await endCalls(db, [ref]);
    expect(record?.judgedAt).toBeGreaterThan(now);
    expect(record?.attribution).toMatchObject({
      ...{ outcome: "matched", touch: ad, firstTouch: first, landingPage: "https://shop.test/ad", referrer },
      ...{ source: "google", medium: "cpc", campaign: "spring", channel: "paid_search", consent, delayModelId: null },
    });
    expect(record?.attribution.confidence).toBeGreaterThan(0.9);
  });

  it("is judged once: what the log says later does not reach it", async () => {
    const world = await makeWorld(db, 1);
    const number = await presentTo(db, world, ids.next("vis"), { customData: { plan: "free" } });
    const ref = await openTo(db, number);
    const [once] = await endCalls(db, [ref]);
    await rows(db, "delete from presentation where account_id = $1", [world.account.id]);
    const [twice] = await endCalls(db, [ref]);
    expect(twice).toEqual({ ...once, updatedAt: twice?.updatedAt });
  });

  it("without its part of the log keeps what the match saw", async () => {
    const world = await makeWorld(db, 1);
    const number = await presentTo(db, world, ids.next("vis"), { touch: { gclid: "1" }, customData: { plan: "free" } });
    const ref = await openTo(db, number);
    await rows(db, "delete from presentation where account_id = $1", [world.account.id]);
    const [record] = await endCalls(db, [ref]);
    expect(record?.attribution).toMatchObject({
      ...{ confidence: null, firstTouch: null, customData: { plan: "free" }, channel: "paid_search" },
    });
    expect(record?.judgedAt).not.toBeNull();
  });

  it("has custom data from all the visitor's presentations up to its own, by the account's models", async () => {
    const world = await makeWorld(db, 2);
    const other = await makeWorld(db, 1);
    await updateAccount(db, world.account.id, { customDataModels: { page: "unique", plan: "first" } });
    const visitor = ids.next("vis");
    const now = Date.now();
    await presentTo(db, world, visitor, { customData: { plan: "free", page: "a", id: 1 }, at: now - 5 * DAY });
    await presentTo(db, world, visitor, { customData: { plan: "pro", page: "b" }, at: now - 2 * HOUR });
    await presentTo(db, other, visitor, { customData: { stranger: true }, at: now - HOUR });
    const number = await presentTo(db, world, visitor, { customData: { page: "c" }, at: now - 60_000 });
    const ref = await openTo(db, number);
    await presentTo(db, world, visitor, { customData: { page: "d" } });
    const [record] = await endCalls(db, [ref]);
    expect(record?.attribution.customData).toEqual({ plan: "free", page: ["a", "b", "c"], id: 1 });
  });

  it("of a visitor with hundreds of page views knows the first and the latest hundred", async () => {
    const world = await makeWorld(db, 1);
    const visitor = ids.next("vis");
    const now = Date.now();
    const views = VISITS_MAX + 20;
    for (let i = views; i > 0; i--) {
      const more =
        i === views ? { touch: { utm_source: "first" }, customData: { first: 1 } } : { customData: { page: i } };
      await presentTo(db, world, visitor, { ...more, at: now - i * 60_000 });
    }
    await updateAccount(db, world.account.id, { customDataModels: { page: "first" } });
    const { attribution } = await callTo(db, world.numbers[0] as string);
    expect(attribution.firstTouch).toEqual({ utm_source: "first" });
    expect(attribution.customData).toEqual({ first: 1, page: VISITS_MAX });
  });

  it("to a static number has its source's channel", async () => {
    const world = await makeWorld(db, 1);
    const destination = await makeDestination(db, world.account, "+18005550101");
    const [number] = tollFreeNumbers(1) as [`+${string}` & never];
    await addInventory(db, [number]);
    await createStatic(
      { db, ids, schedule: world.schedule },
      {
        wanted: { kind: "named", number },
        destination,
        settings: { name: "Zeitung", touch: { source_name: "Zeitung", utm_campaign: "june" }, drainS: 0 },
        mayTakePorted: false,
        actor: "test",
      },
    );
    const { attribution } = await callTo(db, number);
    expect(attribution).toMatchObject({
      ...{ outcome: "never_presented", source: "Zeitung", medium: "offline", campaign: "june", channel: "offline" },
      ...{ firstTouch: null, confidence: null, customData: null },
    });
  });

  it("that was not matched says nothing of a visitor", async () => {
    const world = await makeWorld(db, 1);
    const { attribution, judgedAt } = await callTo(db, world.numbers[0] as string);
    expect(judgedAt).not.toBeNull();
    expect(attribution).toMatchObject({ outcome: "never_presented", channel: null, source: null, firstTouch: null });
  });
});

describe("the confidence of a record", () => {
  it("comes from its pool's newest model, and can be computed again after the pool has a newer one", async () => {
    const world = await makeWorld(db, 1);
    const pool = await getPool(db, { id: world.pool.id, accountId: null });
    const number = world.numbers[0] as string;
    const now = Date.now();
    await presentTo(db, world, ids.next("vis"), { at: now - 2 * HOUR });
    await presentTo(db, world, ids.next("vis"), { at: now - HOUR });
    const past = (delayS: number) =>
      writeCalls(
        db,
        world,
        Array.from({ length: 100 }, (_, i) => ({ number, receivedAgoS: 90 + i, delayS: delayS + i })),
      );
    await past(3_500);
    const id = await updateModel(db, pool);
    expect(id).not.toBeNull();
    expect(await updateModel(db, pool)).toBeNull();
    const record = await callTo(db, number);
    expect(record.attribution.delayModelId).toBe(id);
    await past(30);
    const newer = await updateModel(db, pool);
    expect(newer).toBeGreaterThan(id as number);
    const again = async (modelId: number | null) => {
      const { attribution, receivedAt } = record;
      const presentations = await readCandidates(db, {
        ...(record as never as Parameters<typeof readCandidates>[1]),
        matchedSeq: attribution.matchedSeq as number,
      });
      const model = await readModel(db, modelId);
      const { confidence } = explainMatch({
        outcome: "matched",
        matchedPresentationId: attribution.presentationId,
        presentations,
        receivedAt,
        model,
      });
      return Math.fround(confidence ?? 0);
    };
    const stored = Math.fround(record.attribution.confidence ?? 0);
    expect(await again(id)).toBe(stored);
    for (const wrong of [newer, PRIOR_MODEL.id]) expect(await again(wrong)).not.toBe(stored);
    // Versions are history.
    await expect(rows(db, "update pool_delay_model set calls = 0 where id = $1", [id])).rejects.toThrow(
      "never changed",
    );
  });
});

describe("a repeat caller", () => {
  const caller = () => `+1415555${String(1_000 + (serial++ % 9_000))}`;
  let serial = 0;

  it("is linked to the call before, of the same account and number alone", async () => {
    const [world, other] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const [number, elsewhere] = [world.numbers[0] as string, other.numbers[0] as string];
    const me = caller();
    await callTo(db, elsewhere, { caller: me });
    const first = await callTo(db, number, { caller: me });
    await callTo(db, number, { caller: caller() });
    const second = await callTo(db, number, { caller: me });
    const third = await callTo(db, number, { caller: me });
    expect([first, second, third].map((c) => [c.callsBefore, c.previousCallId])).toEqual([
      [0, null],
      [1, first.id],
      [2, second.id],
    ]);
    const anonymous = [await callTo(db, number, { caller: null }), await callTo(db, number, { caller: null })];
    expect(anonymous.map((c) => c.callsBefore)).toEqual([null, null]);
  });

  it("is remembered for the account's days, and not at all with 0", async () => {
    const world = await makeWorld(db, 1);
    const number = world.numbers[0] as string;
    const me = caller();
    const old = await callTo(db, number, { caller: me });
    await rows(db, "update call set received_at = received_at - interval '10 days' where id = $1", [old.id]);
    const before = async (days: number) => {
      await updateAccount(db, world.account.id, { repeatCallerDays: days });
      const ref = await openTo(db, number, { caller: me });
      const [record] = await endCalls(db, [ref]);
      await rows(db, "delete from call where id = $1", [ref.callId]);
      return record?.callsBefore;
    };
    expect([await before(9), await before(11), await before(0)]).toEqual([0, 1, null]);
  });

  it("is linked by arrival, whichever call ends first, also when it is recorded last", async () => {
    const world = await makeWorld(db, 1);
    const number = world.numbers[0] as string;
    await rows(db, "update number_event set at = at - interval '1 day' where account_id = $1", [world.account.id]);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        fc.subarray([0, 1, 2]),
        async (ends, lates) => {
          const me = caller();
          const start = Date.now() - 60_000;
          // The late ones came among the others, and are recorded when all of those are over.
          const arrivals = [0, 1, 2, 3].map((i) => start + i * 10_000);
          const refs = new Map<number, Awaited<ReturnType<typeof openTo>>>();
          const open = async (i: number) =>
            refs.set(i, await openTo(db, number, { caller: me, late: arrivals[i] as number }));
          const inTime = [0, 1, 2, 3].filter((i) => !lates.includes(i as 0));
          for (const i of inTime) await open(i);
          await rows(db, "update call set late = false where promo_number = $1", [number]);
          for (const i of ends) if (inTime.includes(i)) await endCalls(db, [refs.get(i) as never]);
          for (const i of lates) await open(i);
          await endCalls(
            db,
            lates.map((i) => refs.get(i) as never),
          );
          const idOf = (i: number) => refs.get(i)?.callId as string;
          for (const i of [0, 1, 2, 3]) {
            const record = await getCall(db, { id: idOf(i), accountId: null });
            expect([record.callsBefore, record.previousCallId]).toEqual([i, i === 0 ? null : idOf(i - 1)]);
          }
        },
      ),
      { numRuns: 12 },
    );
  });
});
