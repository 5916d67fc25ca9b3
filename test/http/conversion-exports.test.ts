import { describe, expect, it } from "vitest";
import { correctCall } from "../../src/attribution/corrections/correct-call.js";
import { adConversionOf, type ConvertibleCall } from "../../src/attribution/exports/ad-conversions.js";
import { convertiblePages } from "../../src/attribution/exports/conversions.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);

const CALL: ConvertibleCall = {
  callId: "call_1",
  receivedAt: 1_000,
  outcome: "matched",
  status: "completed",
  talkMs: 90_000,
  touch: { gclid: "g", msclkid: "m", wbraid: "w" },
  conversion: null,
  revenue: null,
  currency: "EUR",
};

describe("adConversionOf", () => {
  const of = (
    changes: Partial<ConvertibleCall>,
    minTalkS: number | null = null,
    network: "google_ads" | "meta" = "google_ads",
  ) => adConversionOf({ ...CALL, ...changes }, { network, minTalkS });

  it("tells what somebody said, and else what the talk says, if it may", () => {
    expect(of({ conversion: true })).toEqual({
      callId: "call_1",
      clickId: "g",
      clickIdKind: "gclid",
      at: 1_000,
      value: null,
      currency: null,
    });
    expect(of({ conversion: false, revenue: 5 }, 0)).toBeNull();
    expect(of({ revenue: 12.5 })).toMatchObject({ value: 12.5, currency: "EUR" });
    expect(of({ revenue: 0 }, 0)).toBeNull();
    expect(of({})).toBeNull();
    expect(of({}, 90)).toMatchObject({ clickId: "g" });
    expect(of({}, 91)).toBeNull();
    expect(of({ status: "no_answer" }, 0)).toBeNull();
    expect(of({ talkMs: null }, 0)).toBeNull();
  });

  it("needs a match and one of the network's own click ids, the first of them first", () => {
    expect(of({ conversion: true, outcome: "overflow" })).toBeNull();
    expect(of({ conversion: true }, null, "meta")).toBeNull();
    expect(of({ conversion: true, touch: { wbraid: "w", gbraid: "" } })).toMatchObject({
      clickId: "w",
      clickIdKind: "wbraid",
    });
    expect(of({ conversion: true, touch: null })).toBeNull();
    expect(of({ conversion: true, touch: { gclid: 7 } })).toBeNull();
  });
});

async function called(world: World, touch: Record<string, string>, talkMs: number | null = null): Promise<string> {
  const [outcome] = await presentBatch(db, [{ ...allocationFor(world), touch }]);
  if (outcome?.kind !== "presented") throw new Error("no number was presented");
  const opening = { call: inboundCall(outcome.promoNumber), callId: ids.next("call"), late: null };
  const { ref } = await openCall({ db, secrets, ids }, opening);
  await rows(
    db,
    "update call set talk_ms = $2, status = case when $2 > 0 then 'completed' else status end where id = $1",
    [ref.callId, talkMs],
  );
  return ref.callId;
}

async function corrected(id: string, conversion: boolean | null, revenue: number | null): Promise<void> {
  await correctCall({ db, ids }, { id, accountId: null, actor: "test", reason: "sale", conversion, revenue });
}

describe("GET /v1/calls/conversions.csv", () => {
  it("is Google's file, and Microsoft's", async () => {
    const world = await makeWorld(db, 6);
    await rows(db, "update account set currency = 'GBP' where id = $1", [world.account.id]);
    const sale = await called(world, { gclid: "g-sale" });
    await corrected(sale, true, 120.5);
    await corrected(await called(world, { gclid: "g-none" }), false, null);
    const long = await called(world, { gclid: "=g-long", msclkid: "m-long" }, 65_000);
    await called(world, { gclid: "g-short" }, 5_000);
    await called(world, { wbraid: "w-only" }, 99_000);
    await called(world, { utm_source: "print" }, 99_000);
    const timeOf = async (id: string) => {
      const { received_at: at } = (await request("GET", `/v1/calls/${id}`)).json();
      return at.slice(0, 19).replace("T", " ");
    };
    const key = await keyOf(world.account.id, ["read"]);
    const read = async (query: string) => (await request("GET", `/v1/calls/conversions.csv?${query}`, { key })).body;
    const columns = "Conversion Name,Conversion Time,Conversion Value,Conversion Currency";
    expect(await read("for=google_ads&min_talk_s=60&conversion_name=Call,%20sold")).toBe(
      [
        "Parameters:TimeZone=+0000,,,,",
        `Google Click ID,${columns}`,
        `'=g-long,"Call, sold",${await timeOf(long)},,`,
        `g-sale,"Call, sold",${await timeOf(sale)},120.5,GBP`,
        "",
      ].join("\r\n"),
    );
    expect(await read("for=microsoft_ads&min_talk_s=60")).toBe(
      [
        "Parameters:TimeZone=+0000,,,,",
        `Microsoft Click ID,${columns}`,
        `m-long,Phone call,${await timeOf(long)},,`,
        "",
      ].join("\r\n"),
    );
    const window = { accountId: world.account.id, from: null, to: null, clickIds: ["gclid"] };
    const pages: number[] = [];
    for await (const page of convertiblePages(db, window, 3)) pages.push(page.length);
    expect(pages).toEqual([3, 1]);
  });

  it("is not there for networks that take none", async () => {
    expect(problemIn(await request("GET", "/v1/calls/conversions.csv?for=linkedin")).status).toBe(422);
    expect(problemIn(await request("GET", "/v1/calls/conversions.csv")).status).toBe(422);
  });
});
