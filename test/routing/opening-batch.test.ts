import { describe, expect, it } from "vitest";
import { getCall } from "../../src/attribution/calls.store.js";
import type { Database } from "../../src/db/database.js";
import { type Clock, systemClock } from "../../src/kernel/clock.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import type { InboundCall } from "../../src/routing/inbound-call.js";
import { OpeningBatch, type WrittenLater } from "../../src/routing/opening-batch.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets } from "../support/world.js";

const { db } = await freshDatabase();
const never = new AbortController().signal;
const recordsFirst: WrittenLater = {
  take: () => false,
  holds: () => false,
  settleRecord: () => Promise.resolve(),
  settle: () => Promise.resolve(),
};
const opening = (call: InboundCall, signal = never) => ({ call, callId: ids.next("call"), signal });

const batchOn = (database: Database, clock: Clock = systemClock): OpeningBatch =>
  new OpeningBatch({ db: database, openingDb: database, ids, secrets, clock }, recordsFirst);

/** The real database, telling what is asked of it. */
function watched() {
  const asked: string[] = [];
  const database: Database = {
    ...db,
    query: (query, values) => {
      asked.push(query.name);
      return db.query(query, values);
    },
  };
  return { asked, batch: batchOn(database) };
}

async function presented(count: number) {
  const world = await makeWorld(db, count);
  const outcomes = await presentBatch(
    db,
    world.numbers.map(() => allocationFor(world)),
  );
  const held = outcomes.flatMap((outcome) => (outcome.kind === "presented" ? [outcome] : []));
  return { world, held };
}

describe("calls that come at the same time", () => {
  it("share one match and one insert, and each gets its own visitor", async () => {
    const { held } = await presented(20);
    const { asked, batch } = watched();
    const opened = await Promise.all(held.map(({ promoNumber }) => batch.open(opening(inboundCall(promoNumber)))));
    expect(asked).toEqual(["match_number", "call_insert"]);
    for (const [index, { ref }] of opened.entries()) {
      const record = await getCall(db, { id: ref.callId, accountId: null });
      expect(record).toMatchObject({
        promoNumber: held[index]?.promoNumber,
        receivedAt: ref.receivedAt,
        attribution: { outcome: "matched", visitorId: held[index]?.visitorId },
      });
    }
  });

  it("to one number are calls of their own; the same call twice is one record, known again by the second", async () => {
    const { held } = await presented(1);
    const number = held[0]?.promoNumber ?? "";
    const { batch } = watched();
    const same = inboundCall(number);
    const calls = [inboundCall(number), same, inboundCall(number), same];
    const opened = await Promise.all(calls.map((call) => batch.open(opening(call))));
    expect(opened.map(({ isRepeat }) => isRepeat)).toEqual([false, false, false, true]);
    expect(opened[3]?.ref).toEqual(opened[1]?.ref);
    expect(await rows(db, "select 1 from call where promo_number = $1", [number])).toHaveLength(3);
  });

  it("to routed, quarantined and unknown numbers are each decided for themselves", async () => {
    const { held, world } = await presented(2);
    const [routed = "", quarantined = ""] = held.map(({ promoNumber }) => promoNumber);
    const move = { e164: quarantined, accountId: null, reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, move);
    const { batch } = watched();
    const numbers = [routed, quarantined, "+18885559999", routed];
    const opened = await Promise.all(numbers.map((number) => batch.open(opening(inboundCall(number)))));
    expect(opened.map(({ decision }) => decision.kind)).toEqual(["route", "intercept", "unknown", "route"]);
    expect(await rows(db, "select 1 from intercept where promo_number = $1", [quarantined])).toHaveLength(1);
  });

  it("are matched and recorded while every other connection of the process is taken", async () => {
    const { held } = await presented(1);
    const taken = (): Promise<never> => new Promise(() => undefined);
    const busy: Database = { ...db, query: taken, transaction: taken };
    const deps = { db: busy, openingDb: db, ids, secrets, clock: systemClock };
    const { ref } = await new OpeningBatch(deps, recordsFirst).open(opening(inboundCall(held[0]?.promoNumber ?? "")));
    const record = await getCall(db, { id: ref.callId, accountId: null });
    expect(record.attribution).toMatchObject({ outcome: "matched", visitorId: held[0]?.visitorId });
  });

  it("that the database cannot store fail alone", async () => {
    const { held } = await presented(6);
    const { batch } = watched();
    const outcomes = await Promise.allSettled(
      held.map(({ promoNumber }, index) =>
        batch.open(opening(inboundCall(promoNumber, index === 4 ? { verstat: "not \u0000 storable" } : {}))),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      held.map((_one, index) => (index === 4 ? "rejected" : "fulfilled")),
    );
  });
});

describe("a call that nobody waits for any more", () => {
  it("is not written, whether it gave up before its match or during it", async () => {
    const { held } = await presented(3);
    const gaveUp = new AbortController();
    const during = new AbortController();
    const database: Database = {
      ...db,
      query: async (query, values) => {
        const found = await db.query<never>(query, values);
        if (query.name === "match_number") during.abort(new Error("the caller waits no more"));
        return found;
      },
    };
    const batch = batchOn(database);
    const calls = held.map(({ promoNumber }) => inboundCall(promoNumber));
    gaveUp.abort(new Error("the caller waits no more"));
    const signals = [never, gaveUp.signal, during.signal];
    const outcomes = await Promise.allSettled(calls.map((call, index) => batch.open(opening(call, signals[index]))));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    const keys = calls.map(({ ingressKey }) => ingressKey);
    expect(await rows(db, "select ingress_key from call_key where ingress_key = any ($1)", [keys])).toEqual([
      { ingress_key: keys[0] },
    ]);
  });
});

describe("a line that is too long", () => {
  it("takes nobody in who would wait in vain, and does again when it is short", async () => {
    const { held } = await presented(4);
    let nowMs = 0;
    const answers: (() => void)[] = [];
    const database: Database = {
      ...db,
      query: async (query, values) => {
        if (query.name === "match_number") await new Promise<void>((resolve) => answers.push(resolve));
        return db.query(query, values);
      },
    };
    const clock = { ...systemClock, monotonicMs: () => nowMs };
    const batch = batchOn(database, clock);
    const numbers = held.map(({ promoNumber }) => promoNumber);
    const open = (n: number) => batch.open(opening(inboundCall(numbers[n] ?? "")));
    const first = open(0);
    await until("one is matched", () => answers.length === 1);
    const second = open(1);
    await until("two are matched", () => answers.length === 2);
    const third = open(2);
    nowMs = 100;
    const fourth = open(3);
    nowMs = 101;
    await expect(open(3)).rejects.toMatchObject({ code: "overloaded" });
    const all = Promise.all([first, second, third, fourth]);
    const answering = setInterval(() => answers.splice(0).forEach((answer) => answer()), 1);
    expect((await all).map(({ isRepeat }) => isRepeat)).toEqual([false, false, false, false]);
    expect((await open(3)).isRepeat).toBe(false);
    clearInterval(answering);
  });
});

describe("a connection on which nothing comes back", () => {
  it("holds up its own batch and no other", async () => {
    const { held } = await presented(2);
    let isFirst = true;
    const answers: (() => void)[] = [];
    const database: Database = {
      ...db,
      query: async (query, values) => {
        if (isFirst) {
          isFirst = false;
          await new Promise<void>((resolve) => answers.push(resolve));
        }
        return db.query(query, values);
      },
    };
    const batch = batchOn(database);
    const [first = "", second = ""] = held.map(({ promoNumber }) => promoNumber);
    const stuck = batch.open(opening(inboundCall(first)));
    await until("the first query is held", () => answers.length === 1);
    expect((await batch.open(opening(inboundCall(second)))).isRepeat).toBe(false);
    answers[0]?.();
    expect((await stuck).isRepeat).toBe(false);
  });
});
