import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adoptNumber } from "../../src/pool/adopt-number.js";
import { orderNumbers } from "../../src/pool/buy-numbers.js";
import type { BuyDeps } from "../../src/pool/buy-numbers.js";
import { finishPorting } from "../../src/pool/finish-porting.js";
import { giveBackNumber } from "../../src/pool/give-back-number.js";
import { listFindings, type FindingKind } from "../../src/pool/inventory-findings.store.js";
import { ATTEMPTS_MAX, markOf } from "../../src/pool/number-order.js";
import { findOrder } from "../../src/pool/number-orders.store.js";
import { findNumber, historyOf, insertNumbers } from "../../src/pool/numbers.store.js";
import { isReconcileDue, reconcileAccount, reconcileDue } from "../../src/pool/reconcile-inventory.js";
import { runOrder } from "../../src/pool/run-order.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { type FakeTwilio, startFakeTwilio } from "../support/fake-twilio.js";
import { forgetNumbers, passTime, putTwilio, shopOf } from "../support/shop.js";
import { ids, makeAccount, secrets } from "../support/world.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);

let fake: FakeTwilio;
let shop: BuyDeps;
beforeEach(async () => {
  fake = await startFakeTwilio();
  shop = shopOf(db, fake.url);
});
afterEach(async () => {
  await fake.stop();
  await forgetNumbers(db);
  await rows(db, "truncate carrier_reconcile");
});

const why = { reason: "test", actor: "test" };
const N = "+14152010000" as E164;

/** Ours, hosted at Twilio, old enough to be expected there. */
async function have(number: E164, changes = "", carrier: string | null = "twilio"): Promise<void> {
  await insertNumbers(db, { numbers: [{ number, carrier, credentialId: null }], ...why });
  await rows(db, `update promo_number set created_at = now() - interval '1 day'${changes} where e164 = $1`, [number]);
}

async function buyOne(): Promise<E164> {
  const order = await orderNumbers(shop, orderOf(ids.next("req")));
  return order?.items[0]?.number as E164;
}

const orderOf = (key: string) => ({
  key,
  carrier: null,
  accountId: null,
  poolId: null,
  numberType: "local" as const,
  npas: ["415"],
  callingCode: null,
  count: 1,
  isOwnFirst: false,
  ...why,
});

const compare = () => reconcileAccount(shop, { carrier: "twilio", credentialId });

async function findings(onlyOpen = true): Promise<[FindingKind, string][]> {
  const found = await listFindings(db, { before: "", kind: null, onlyOpen, number: null, limit: 100 });
  return found.map(({ kind, number }): [FindingKind, string] => [kind, number]).sort();
}

describe("comparing the carrier's list with ours", () => {
  it("finds nothing where nothing differs", async () => {
    await buyOne();
    await rows(db, "update promo_number set created_at = now() - interval '1 day'");
    expect(await compare()).toBe("1 listed, 0 findings, 0 repaired, 0 resolved");
    expect(await findings(false)).toEqual([]);
  });

  it("finds numbers that only the carrier has, and leaves them there", async () => {
    fake.add(N);
    await compare();
    expect(await findings()).toEqual([["unknown_here", N]]);
    expect(fake.owned.has(N)).toBe(true);
    expect(await findNumber(db, N)).toBeNull();
  });

  it("finds numbers that only we have, and leaves them as they are", async () => {
    await have(N);
    await compare();
    expect(await findings()).toEqual([["gone_there", N]]);
    expect((await findNumber(db, N))?.state).toBe("available");
  });

  it("says the same difference once, and that it is over once", async () => {
    fake.add(N);
    await compare();
    await compare();
    expect(await findings(false)).toEqual([["unknown_here", N]]);
    fake.owned.delete(N);
    await compare();
    expect(await findings()).toEqual([]);
    expect(await findings(false)).toEqual([["unknown_here", N]]);
    fake.add(N);
    await compare();
    expect(await findings(false)).toEqual([
      ["unknown_here", N],
      ["unknown_here", N],
    ]);
  });

  it("takes nothing for gone when the list broke off", async () => {
    await have(N);
    for (let i = 0; i < 1_200; i++) fake.add(`+1520${2_000_000 + i}`);
    fake.fail("GET", "Page=1", { kind: "status", status: 500 });
    await expect(compare()).rejects.toMatchObject({ kind: "unknown_outcome" });
    expect((await findings()).filter(([kind]) => kind === "gone_there")).toEqual([]);
    await compare();
    expect((await findings()).filter(([kind]) => kind === "gone_there")).toEqual([["gone_there", N]]);
  });

  it("gives a number that was just bought time to show up in the list", async () => {
    await insertNumbers(db, { numbers: [{ number: N, carrier: "twilio", credentialId }], ...why });
    await compare();
    expect(await findings()).toEqual([]);
  });

  it("expects a number where its credential is: its own, its account's, else the platform's", async () => {
    const account = await makeAccount(db);
    const own = await putTwilio(db, account.id);
    await have(N, `, credential_id = '${own}'`);
    await have("+14152010001" as E164, `, host_account_id = '${account.id}'`);
    await have("+14152010002" as E164);
    await have("+14152010003" as E164, "", "telnyx");
    await have("+14152010004" as E164, "", null);
    await compare();
    expect(await findings()).toEqual([["gone_there", "+14152010002"]]);
    await reconcileAccount(shop, { carrier: "twilio", credentialId: own });
    expect((await findings()).map(([, number]) => number)).toEqual([N, "+14152010001", "+14152010002"]);
    await rows(db, "update promo_number set credential_id = null, host_account_id = null");
    await rows(db, "delete from inventory_finding");
    await rows(db, "delete from carrier_credential where id = $1", [own]);
  });

  it("finds retired numbers that are still billed, and ported ones that have arrived", async () => {
    await have(N, ", state = 'retired'");
    await insertNumbers(db, {
      numbers: [{ number: "+14152010001" as E164, carrier: "twilio", credentialId, state: "porting" }],
      ...why,
    });
    fake.add(N);
    fake.add("+14152010001");
    await compare();
    expect(await findings()).toEqual([
      ["port_arrived", "+14152010001"],
      ["retired_there", N],
    ]);
    const number = await finishPorting(db, { e164: "+14152010001", ...why });
    expect(number.state).toBe("available");
    expect((await historyOf(db, number.id)).map(({ state }) => state)).toEqual(["porting", "available"]);
    expect(await findings()).toEqual([["retired_there", N]]);
    await expect(finishPorting(db, { e164: "+14152010001", ...why })).rejects.toMatchObject({
      code: "illegal_transition",
    });
  });
});

describe("webhooks that lead elsewhere", () => {
  it("are put right, and it is written down once", async () => {
    const number = await buyOne();
    const wrong = "https://elsewhere.example.com/voice?password=secret";
    Object.assign(fake.owned.get(number) ?? {}, { voice_url: wrong });
    expect(await compare()).toContain("1 repaired");
    expect(fake.owned.get(number)).toMatchObject({
      voice_url: "https://calls.example.com/webhooks/twilio/voice",
      status_callback: "https://calls.example.com/webhooks/twilio/status",
    });
    expect(await findings(false)).toEqual([["webhooks_repaired", number]]);
    expect(JSON.stringify(await rows(db, "select detail from inventory_finding"))).not.toContain("secret");
    expect(await compare()).toContain("0 repaired");
    expect(await findings()).toEqual([]);
  });

  it("are put right when the fallback moves to a static host, and back", async () => {
    const number = await buyOne();
    const moved = { ...shop, fallbackBaseUrl: "https://static.example.com" };
    for (const [deps, url] of [
      [moved, `https://static.example.com/twilio/${number.slice(1)}.xml`],
      [shop, `https://calls.example.com/v1/numbers/${encodeURIComponent(number)}/fallback?carrier=twilio`],
    ] as const) {
      await reconcileAccount(deps, { carrier: "twilio", credentialId });
      expect(fake.owned.get(number)?.voice_fallback_url).toBe(url);
    }
  });

  it("are left alone where a trunk leads the calls, and only told where an application does", async () => {
    await have(N);
    await have("+14152010001" as E164);
    fake.add(N, { trunk_sid: "TK1" });
    fake.add("+14152010001", { voice_application_sid: "AP1" });
    await compare();
    expect(await findings()).toEqual([["webhooks_wrong", "+14152010001"]]);
    expect(fake.owned.get(N)?.voice_url).toBeNull();
  });

  it("are left alone without a public address, and where we host the number elsewhere", async () => {
    await have(N);
    fake.add(N);
    await reconcileAccount({ ...shop, publicBaseUrl: null }, { carrier: "twilio", credentialId });
    await rows(db, "update promo_number set carrier = null");
    await compare();
    expect(await findings(false)).toEqual([]);
    expect(fake.owned.get(N)?.voice_url).toBeNull();
  });
});

describe("orders and the list", () => {
  it("an order under way is left to itself", async () => {
    fake.fail("POST", "IncomingPhoneNumbers", { kind: "answer_lost" });
    fake.fail("GET", "FriendlyName", { kind: "status", status: 500 });
    const key = ids.next("req");
    await orderNumbers(shop, orderOf(key));
    expect(fake.owned.size).toBe(1);
    await compare();
    expect(await findings()).toEqual([]);
    await passTime(db);
    const order = await runOrder(shop, { orderId: (await findOrder(db, key))?.id ?? "", budgetMs: 60_000 });
    expect(order.state).toBe("done");
  });

  it("a number of which nobody knew comes into the inventory, and its order is done", async () => {
    const key = ids.next("req");
    for (let i = 0; i < 2 * ATTEMPTS_MAX; i++)
      fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 500 });
    await orderNumbers(shop, orderOf(key));
    for (let i = 0; i < ATTEMPTS_MAX; i++) {
      await passTime(db);
      await runOrder(shop, { orderId: (await findOrder(db, key))?.id ?? "", budgetMs: 60_000 });
    }
    const before = await findOrder(db, key);
    expect(before?.state).toBe("unknown");
    const item = before?.items[0];
    fake.add(item?.number ?? "", { friendly_name: markOf(item?.id ?? "") });
    await compare();
    expect(await findOrder(db, key)).toMatchObject({ state: "done", refusal: null, items: [{ state: "done" }] });
    expect((await findNumber(db, item?.number ?? ""))?.state).toBe("available");
    expect(await findings()).toEqual([]);
  });

  it("a second number under one order's mark is found, not taken over", async () => {
    const key = ids.next("req");
    const order = await orderNumbers(shop, orderOf(key));
    fake.add("+14152019999", { friendly_name: markOf(order?.items[0]?.id ?? "") });
    await compare();
    expect(await findings()).toEqual([["unknown_here", "+14152019999"]]);
  });
});

describe("taking a number over", () => {
  const adoption = { number: N, carrier: "twilio" as const, credentialId: null, ...why };

  it("makes it available, hosted where it was found, with its webhooks set", async () => {
    fake.add(N);
    await compare();
    const number = await adoptNumber(shop, adoption);
    expect(number).toMatchObject({ state: "available", carrier: "twilio", credentialId });
    expect(fake.owned.get(N)?.voice_url).toBe("https://calls.example.com/webhooks/twilio/voice");
    expect((await historyOf(db, number.id))[0]?.reason).toBe("adopted: test");
    expect(await findings()).toEqual([]);
    await expect(adoptNumber(shop, adoption)).rejects.toMatchObject({ code: "already_exists" });
  });

  it("is refused for what the carrier does not list", async () => {
    await expect(adoptNumber(shop, adoption)).rejects.toMatchObject({ code: "not_found" });
    expect(await findNumber(db, N)).toBeNull();
  });

  it("says when the carrier does not answer", async () => {
    fake.fail("GET", "PhoneNumber", { kind: "status", status: 429, retryAfter: "3" });
    await expect(adoptNumber(shop, adoption)).rejects.toMatchObject({ code: "carrier_unavailable", retryAfterS: 3 });
  });
});

describe("giving a number back", () => {
  const deps = () => ({ ...shop, secrets });

  it("retires it, releases it there, and writes both down", async () => {
    const number = await buyOne();
    const given = await giveBackNumber(deps(), { e164: number, ...why });
    expect(given.state).toBe("retired");
    expect(fake.owned.size).toBe(0);
    expect((await historyOf(db, given.id)).map(({ state, reason }) => [state, reason])).toEqual([
      ["available", "bought: test"],
      ["retired", "to be given back: test"],
      ["retired", "given back to twilio: test"],
    ]);
  });

  it("again changes nothing", async () => {
    const number = await buyOne();
    const first = await giveBackNumber(deps(), { e164: number, ...why });
    await giveBackNumber(deps(), { e164: number, ...why });
    expect(await historyOf(db, first.id)).toHaveLength(3);
  });

  it("goes on where it was cut off: the answer lost after the release", async () => {
    const number = await buyOne();
    fake.fail("DELETE", "IncomingPhoneNumbers", { kind: "answer_lost" });
    await expect(giveBackNumber(deps(), { e164: number, ...why })).rejects.toMatchObject({
      code: "carrier_unavailable",
    });
    expect((await findNumber(db, number))?.state).toBe("retired");
    const given = await giveBackNumber(deps(), { e164: number, ...why });
    expect((await historyOf(db, given.id)).at(-1)?.reason).toBe("given back to twilio: test");
  });

  it("is only for numbers that are nobody's", async () => {
    const number = await buyOne();
    await rows(db, "update promo_number set state = 'quarantined', quarantined_at = now() where e164 = $1", [number]);
    await expect(giveBackNumber(deps(), { e164: number, ...why })).rejects.toMatchObject({
      code: "illegal_transition",
    });
    expect(fake.owned.has(number)).toBe(true);
    await have("+14152010009" as E164, "", null);
    await expect(giveBackNumber(deps(), { e164: "+14152010009" as E164, ...why })).rejects.toMatchObject({
      code: "conflict",
    });
  });
});

describe("the hour", () => {
  it("is the database's: of several processes one compares, and again an hour later", async () => {
    expect(await isReconcileDue(shop)).toBe(true);
    const counts = await Promise.all([reconcileDue(shop), reconcileDue(shop), reconcileDue(shop)]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(await isReconcileDue(shop)).toBe(false);
    const [row] = await rows<{ in_s: number; outcome: string }>(
      db,
      "select extract(epoch from next_run_at - started_at)::float as in_s, outcome from carrier_reconcile",
    );
    expect(row).toMatchObject({ in_s: 3600, outcome: "0 listed, 0 findings, 0 repaired, 0 resolved" });
  });

  it("passes when the carrier does not answer, and says so", async () => {
    fake.fail("GET", "IncomingPhoneNumbers", { kind: "status", status: 429 });
    await reconcileDue(shop);
    const [row] = await rows<{ outcome: string }>(db, "select outcome from carrier_reconcile");
    expect(row?.outcome).toMatch(/^incomplete: Twilio answered 429/);
  });

  it("has nothing to do without a credential that can buy", async () => {
    const other = await freshDatabase();
    expect(await isReconcileDue(shopOf(other.db, fake.url))).toBe(false);
    expect(await reconcileDue(shopOf(other.db, fake.url))).toBe(0);
  });
});
