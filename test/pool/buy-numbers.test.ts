import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database, NamedQuery, Queryable } from "../../src/db/database.js";
import {
  type BuyDeps,
  createNumberBuyer,
  NO_SELLER,
  ORDER_COUNT_MAX,
  orderNumbers,
} from "../../src/pool/buy-numbers.js";
import type { Carriers } from "../../src/pool/carrier-inventory/carriers.js";
import { SimulatedCarrier } from "../../src/pool/carrier-inventory/simulated.js";
import type { NumberOrder } from "../../src/pool/number-buyer.js";
import { ATTEMPTS_MAX, canItemMove, ITEM_STATES, itemOfMark, type ItemState } from "../../src/pool/number-order.js";
import { findOrder, listDueOrders } from "../../src/pool/number-orders.store.js";
import { historyOf, findNumber } from "../../src/pool/numbers.store.js";
import { runOrder } from "../../src/pool/run-order.js";
import { freshDatabase, rows } from "../support/database.js";
import { type FakeTwilio, type FaultKind, startFakeTwilio } from "../support/fake-twilio.js";
import { forgetNumbers, lostNumbers, ourNumbers, passTime, putTwilio, shopOf } from "../support/shop.js";
import { addInventory, ids, makeAccount } from "../support/world.js";
import type { E164 } from "../../src/telephony/e164.js";

const { db } = await freshDatabase();
const credentialId = await putTwilio(db);
const account = await makeAccount(db);

let fake: FakeTwilio;
let shop: BuyDeps;
beforeEach(async () => {
  fake = await startFakeTwilio();
  shop = shopOf(db, fake.url);
});
afterEach(async () => {
  await fake.stop();
  await forgetNumbers(db);
});

async function startOver(): Promise<void> {
  fake.owned.clear();
  fake.bought.length = 0;
  await forgetNumbers(db);
}

const wanting = (changes: Partial<NumberOrder> = {}): NumberOrder => ({
  key: ids.next("req"),
  accountId: account.id,
  poolId: null as never,
  numberType: "local",
  npas: ["415"],
  callingCode: null,
  count: 3,
  reason: "test",
  actor: "test",
  ...changes,
});

const buy = (order: NumberOrder, deps = shop) => createNumberBuyer(deps).buy(order);

/** As the resumer does, until nothing is due any more. */
async function resume(deps = shop): Promise<void> {
  for (let round = 0; round < 3 * ATTEMPTS_MAX; round++) {
    await passTime(db);
    const due = await listDueOrders(db, 100);
    if (due.length === 0) return;
    for (const orderId of due) await runOrder(deps, { orderId, budgetMs: 60_000 });
  }
  throw new Error("the order never ends");
}

/** Nothing lost, nothing doubled: what the carrier bills is what we have, and as many as were asked for. */
async function expectExact(order: NumberOrder, count = order.count): Promise<void> {
  const known = await findOrder(db, order.key);
  const done = (known?.items ?? []).filter(({ state }) => state === "done").map(({ number }) => number);
  expect(new Set(done).size).toBe(count);
  expect(fake.owned.size).toBe(count);
  expect(await lostNumbers(db, fake)).toEqual([]);
  expect([...(await ourNumbers(db)).values()]).toEqual(Array.from({ length: count }, () => "available"));
}

describe("buying numbers", () => {
  it("brings them into the inventory with their credential, their webhooks and a history", async () => {
    const order = wanting();
    const outcome = await buy(order);
    expect(outcome).toEqual({ bought: ["+14152010000", "+14152010001", "+14152010002"], pending: 0, refused: null });
    await expectExact(order);
    const number = await findNumber(db, "+14152010000");
    expect(number).toMatchObject({ carrier: "twilio", credentialId, type: "local", npa: "415", state: "available" });
    expect(await historyOf(db, number?.id ?? 0)).toMatchObject([
      { state: "available", reason: "bought: test", actor: "test" },
    ]);
    expect(fake.owned.get("+14152010000")?.voice_url).toBe("https://calls.example.com/webhooks/twilio/voice");
    const known = await findOrder(db, order.key);
    expect(fake.owned.get("+14152010000")?.friendly_name).toBe(`ringmatch ${known?.items[0]?.id}`);
    expect(known).toMatchObject({ state: "done", carrier: "twilio", accountId: account.id, refusal: null });
  });

  it("asked again with the same key it goes on, and buys nothing twice", async () => {
    const order = wanting();
    const [first, second] = await Promise.all([buy(order), buy(order)]);
    const third = await buy(order);
    expect(third.bought).toHaveLength(3);
    expect([first.bought.length + first.pending, second.bought.length + second.pending]).toEqual([3, 3]);
    await expectExact(order);
  });

  it("numbers of the order that a pool took meanwhile are not offered again", async () => {
    const order = wanting();
    const { bought } = await buy(order);
    await rows(db, "update promo_number set state = 'quarantined', quarantined_at = now() where e164 = $1", [
      bought[0],
    ]);
    expect((await buy(order)).bought).toEqual(bought.slice(1));
  });

  it("the best area code first, then the next", async () => {
    fake.setStock("628", ["+16282010000"]);
    const order = wanting({ npas: ["628", "415"], count: 2 });
    expect((await buy(order)).bought).toEqual(["+14152010000", "+16282010000"]);
    await expectExact(order);
  });

  it("of toll-free numbers, any area code", async () => {
    const { bought } = await buy(wanting({ numberType: "toll_free", npas: null, count: 2 }));
    expect(bought).toEqual(["+18882010000", "+18882010001"]);
  });

  it("without area codes, of the country alone", async () => {
    fake.setStock("GB", ["+33170189119", "+442079460118", "+12065550100"]);
    const order = wanting({ npas: null, callingCode: "+44", count: 2 });
    const outcome = await buy(order);
    expect(outcome).toEqual({
      bought: ["+442079460118"],
      pending: 0,
      refused: "The carrier has no such number in stock.",
    });
    expect(await findOrder(db, order.key)).toMatchObject({ npas: null, callingCode: "+44" });
  });

  it("a stock that is too small gives what it has and says so", async () => {
    fake.setStock("415", ["+14152010007"]);
    const order = wanting();
    const outcome = await buy(order);
    expect(outcome).toEqual({
      bought: ["+14152010007"],
      pending: 0,
      refused: "The carrier has no such number in stock.",
    });
    expect((await findOrder(db, order.key))?.state).toBe("refused");
  });

  it("a number we know, in whatever state, is never bought", async () => {
    await addInventory(db, ["+14152010000" as E164]);
    await rows(db, "update promo_number set state = 'retired'");
    const { bought } = await buy(wanting({ count: 1 }));
    expect(bought).toEqual(["+14152010001"]);
  });

  it("two orders at once never try the same number", async () => {
    const orders = [wanting(), wanting(), wanting()];
    await Promise.all(orders.map((order) => buy(order)));
    await resume();
    expect(fake.owned.size).toBe(9);
    expect(fake.bought).toHaveLength(9);
    expect(await lostNumbers(db, fake)).toEqual([]);
  });

  it("a number that is sold under our hands is replaced by another one", async () => {
    const stock = ["+14152010000", "+14152010001"];
    fake.setStock("415", stock);
    const carriers = {
      ...shop.carriers,
      open: async (where: { carrier: string; credentialId: string | null }) => {
        const carrier = await shop.carriers.open(where);
        if (carrier === null) return null;
        return new Proxy(carrier, {
          get: (target, name: keyof typeof carrier) => {
            const value = target[name];
            if (typeof value !== "function") return value;
            if (name !== "searchStock") return value.bind(target);
            return async (query: Parameters<typeof carrier.searchStock>[0]) => {
              const found = await target.searchStock(query);
              fake.setStock("415", stock.slice(1));
              return found;
            };
          },
        });
      },
    };
    const order = wanting({ count: 1 });
    expect((await buy(order, { ...shop, carriers })).bought).toEqual(["+14152010001"]);
    await expectExact(order);
  });

  it("more than one order may have are several, and asked again for fewer none comes to them", async () => {
    fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: "40" });
    fake.fail("POST", "IncomingPhoneNumbers", { kind: "status", status: 429, retryAfter: "40" });
    const order = wanting({ count: ORDER_COUNT_MAX + 2 });
    expect(await buy(order)).toEqual({ bought: [], pending: ORDER_COUNT_MAX + 2, refused: null });
    expect(await buy({ ...order, count: 3 })).toMatchObject({ pending: ORDER_COUNT_MAX + 2 });
    expect(await rows(db, "select count::int as count from number_order order by id")).toEqual([
      { count: ORDER_COUNT_MAX },
      { count: 2 },
    ]);
  });

  it("a carrier that refuses is not asked for the orders after that", async () => {
    fake.refusePurchases({ code: 21404, message: "Trial accounts are allowed only one Twilio number" });
    const outcome = await buy(wanting({ count: ORDER_COUNT_MAX + 2 }));
    expect(outcome.refused).toContain("Trial accounts are allowed only one");
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("what the account may not do ends the order with the carrier's words", async () => {
    fake.refusePurchases({ code: 21404, message: "Trial accounts are allowed only one Twilio number" });
    const outcome = await buy(wanting());
    expect(outcome.refused).toContain("Trial accounts are allowed only one");
    expect(outcome).toMatchObject({ bought: [], pending: 0 });
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("a wrong credential ends the order", async () => {
    fake.setTokens(["another"]);
    const outcome = await buy(wanting());
    expect(outcome.refused).toContain("20003");
    expect(fake.owned.size).toBe(0);
  });

  it("without a carrier nothing is ordered", async () => {
    const other = await freshDatabase();
    const outcome = await buy(
      { ...wanting(), accountId: (await makeAccount(other.db)).id },
      shopOf(other.db, fake.url),
    );
    expect(outcome).toEqual({ bought: [], pending: 0, refused: NO_SELLER });
  });

  it("the platform's credential buys before the account's own, which is asked first only by name", async () => {
    const own = await putTwilio(db, account.id);
    const { carriers } = shop;
    const ask = { carrier: "twilio" as const, accountId: account.id };
    expect((await carriers.choose({ ...ask, isOwnFirst: false }))?.credentialId).toBe(credentialId);
    expect((await carriers.choose({ ...ask, isOwnFirst: true }))?.credentialId).toBe(own);
    await rows(db, "delete from carrier_credential where id = $1", [own]);
  });
});

describe("an order that something goes wrong with", () => {
  const POST: [string, string] = ["POST", "IncomingPhoneNumbers"];

  it.each<[string, FaultKind]>([
    ["429 with Retry-After", { kind: "status", status: 429, retryAfter: "1" }],
    ["500", { kind: "status", status: 500 }],
    ["503", { kind: "status", status: 503 }],
    ["the request lost", { kind: "request_lost" }],
    ["the answer lost after the purchase", { kind: "answer_lost" }],
    ["an answer that is none", { kind: "garbage" }],
    ["the request done twice", { kind: "twice" }],
  ])("%s: every number comes, once", async (_name, fault) => {
    fake.fail(...POST, fault);
    const order = wanting();
    const outcome = await buy(order);
    expect(outcome.bought.length + outcome.pending).toBe(3);
    expect(outcome.refused).toBeNull();
    await resume();
    await expectExact(order);
    expect(fake.bought).toHaveLength(3);
  });

  it("an answer lost is found by its mark in the same run", async () => {
    fake.fail(...POST, { kind: "answer_lost" });
    const order = wanting({ count: 1 });
    expect((await buy(order)).bought).toEqual(["+14152010000"]);
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  it("a carrier whose list comes late is asked again for the same number, never for another", async () => {
    fake.setListLag(3);
    fake.fail(...POST, { kind: "answer_lost" });
    const order = wanting({ count: 1 });
    expect(await buy(order)).toEqual({ bought: [], pending: 1, refused: null });
    await resume();
    await expectExact(order);
    const asked = fake.seen.filter(({ method }) => method === "POST").map(({ form }) => form.get("PhoneNumber"));
    expect(new Set(asked)).toEqual(new Set(["+14152010000"]));
    expect(fake.bought).toEqual(["+14152010000"]);
  });

  it("what the carrier asks us to wait is waited, by every item", async () => {
    fake.fail(...POST, { kind: "status", status: 429, retryAfter: "40" });
    const order = wanting();
    await buy(order);
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
    const [row] = await rows<{ wait: number }>(
      db,
      "select extract(epoch from next_run_at - now())::float as wait from number_order",
    );
    expect(row?.wait).toBeGreaterThan(35);
    expect(row?.wait).toBeLessThanOrEqual(40);
    expect(await listDueOrders(db, 10)).toEqual([]);
  });

  it("attempts are bounded: what surely was not sold is refused in the end", async () => {
    await fake.stop();
    const order = wanting({ count: 1 });
    await buy(order);
    await resume();
    const known = await findOrder(db, order.key);
    expect(known).toMatchObject({ state: "refused", items: [{ state: "refused", number: null }] });
    fake = await startFakeTwilio();
  });

  it("attempts are bounded: what may have been sold stays unknown, with its number, for a person", async () => {
    for (let i = 0; i < 2 * ATTEMPTS_MAX; i++) fake.fail(...POST, { kind: "status", status: 500 });
    const order = wanting({ count: 1 });
    await buy(order);
    await resume();
    const known = await findOrder(db, order.key);
    expect(known).toMatchObject({ state: "unknown", items: [{ state: "unknown", number: "+14152010000" }] });
    expect(fake.seen.filter(({ method }) => method === "POST").length).toBeLessThanOrEqual(ATTEMPTS_MAX);
  });

  it("a process that was stopped for longer than its lease writes nothing any more", async () => {
    const order = wanting({ count: 1 });
    let isStopped = true;
    const slow = slowedAt(shop, "buy", async () => {
      if (!isStopped) return;
      isStopped = false;
      await passTime(db);
      await runOrder(shop, { orderId: (await findOrder(db, order.key))?.id ?? "", budgetMs: 60_000 });
    });
    await orderNumbers(slow, { ...order, carrier: null, isOwnFirst: false });
    await expectExact(order);
    expect((await findOrder(db, order.key))?.state).toBe("done");
  });
});

describe("an order whose process dies", () => {
  it("at any statement of the database: nothing is lost and nothing doubled", async () => {
    const statements = await statementsOf(wanting({ count: 2 }));
    expect(statements).toBeGreaterThan(10);
    for (let dies = 1; dies <= statements; dies++) {
      const order = wanting({ count: 2 });
      await buy(order, dyingAt(shop, dies)).catch((error: unknown) => expect(String(error)).toContain("killed"));
      const known = await findOrder(db, order.key);
      if (known === null) expect(fake.owned.size).toBe(0);
      await buy(order).catch(() => undefined);
      await resume();
      await expectExact(order);
      expect(fake.bought).toHaveLength(2);
      await startOver();
    }
  });
});

describe("orders that are delivered later", () => {
  it("the numbers are on order, then available; asked again, none is ordered twice", async () => {
    const { shopAsync, deliver } = asyncShop();
    const order = wanting({ count: 2 });
    const outcome = await buy(order, shopAsync);
    expect(outcome).toEqual({ bought: [], pending: 2, refused: null });
    expect([...(await ourNumbers(db)).values()]).toEqual(["ordering", "ordering"]);
    await passTime(db);
    expect((await buy(order, shopAsync)).pending).toBe(2);
    deliver();
    await resume(shopAsync);
    expect((await buy(order, shopAsync)).bought).toHaveLength(2);
    const [e164] = (await ourNumbers(db)).keys();
    const number = await findNumber(db, e164 ?? "");
    expect((await historyOf(db, number?.id ?? 0)).map(({ state }) => state)).toEqual(["ordering", "available"]);
  });

  it("a number that is not delivered after all is retired, and the order says why", async () => {
    const { shopAsync, deliver, simulated } = asyncShop();
    const order = wanting({ count: 1 });
    await buy(order, shopAsync);
    simulated.setStock("415", 0);
    deliver();
    await resume(shopAsync);
    expect([...(await ourNumbers(db)).values()]).toEqual(["retired"]);
    expect(await findOrder(db, order.key)).toMatchObject({
      state: "refused",
      refusal: "The carrier has no such number any more.",
    });
  });
});

describe("an order's items", () => {
  it("make the same moves in the code and in the database", async () => {
    const columns = (state: ItemState) =>
      state === "requested" || state === "refused" ? "number = null" : `number = '+14152019999'`;
    const path: Record<ItemState, ItemState[]> = {
      requested: [],
      ordering: ["ordering"],
      pending: ["ordering", "pending"],
      done: ["ordering", "done"],
      refused: ["refused"],
      unknown: ["ordering", "unknown"],
    };
    const move = async (id: string, to: ItemState): Promise<boolean> => {
      try {
        await rows(db, `update number_order_item set state = '${to}', ${columns(to)} where id = $1`, [id]);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: "23514" });
        return false;
      }
    };
    await rows(
      db,
      "insert into number_order (id, order_key, carrier, number_type, count, reason, actor, next_run_at) values ('ord_moves', 'moves', 'twilio', 'local', 1, 'r', 'a', now())",
    );
    let position = 0;
    for (const from of ITEM_STATES) {
      for (const to of ITEM_STATES) {
        if (from === to) continue;
        const id = `oit_${from}_${to}`;
        await rows(db, "insert into number_order_item (id, order_id, position) values ($1, 'ord_moves', $2)", [
          id,
          position++,
        ]);
        for (const step of path[from]) expect(await move(id, step)).toBe(true);
        expect([from, to, await move(id, to)]).toEqual([from, to, canItemMove(from, to)]);
        await rows(db, "delete from number_order_item where id = $1", [id]);
      }
    }
  });

  it("leave a mark that leads back to them", () => {
    expect(itemOfMark("ringmatch oit_1")).toBe("oit_1");
    expect(itemOfMark("(415) 201-0000")).toBeNull();
  });
});

/** A carrier that delivers when it is told to. */
function asyncShop() {
  let nowMs = 0;
  const simulated = new SimulatedCarrier({ clock: { monotonicMs: () => nowMs }, deliversAfterMs: 1000 });
  const carriers: Carriers = {
    choose: async () => ({ carrier: "simulated", credentialId: null }),
    open: async () => simulated,
    accounts: async () => [],
  };
  return { shopAsync: { ...shop, carriers }, simulated, deliver: () => void (nowMs += 1000) };
}

/** A database that answers so many statements, then never again: the process is gone, the server may have done the last one. */
function dyingAt(deps: BuyDeps, statement: number): BuyDeps {
  let count = 0;
  const alive = async <R>(run: () => Promise<R>): Promise<R> => {
    if (count >= statement) throw new Error("killed");
    count++;
    const result = await run();
    if (count >= statement) throw new Error("killed");
    return result;
  };
  const queryable = (inner: Queryable): Queryable => ({
    query: (query: NamedQuery, values) => alive(() => inner.query(query, values)),
  });
  const dying: Database = {
    ...db,
    ...queryable(db),
    transaction: (work) => db.transaction((tx) => work(queryable(tx))),
  };
  return { ...deps, db: dying };
}

async function statementsOf(order: NumberOrder): Promise<number> {
  let count = 0;
  const counting: Database = {
    ...db,
    query: (query, values) => {
      count++;
      return db.query(query, values);
    },
    transaction: (work) =>
      db.transaction((tx) =>
        work({
          query: (query, values) => {
            count++;
            return tx.query(query, values);
          },
        }),
      ),
  };
  await buy(order, { ...shop, db: counting });
  await expectExact(order);
  await startOver();
  return count;
}

function slowedAt(deps: BuyDeps, method: "buy", pause: () => Promise<void>): BuyDeps {
  const open: BuyDeps["carriers"]["open"] = async (where) => {
    const carrier = await deps.carriers.open(where);
    if (carrier === null) return null;
    return new Proxy(carrier, {
      get: (target, name: keyof typeof carrier) => {
        const value = target[name];
        if (typeof value !== "function") return value;
        if (name !== method) return value.bind(target);
        return async (wanted: Parameters<typeof carrier.buy>[0]) => {
          await pause();
          return target.buy(wanted);
        };
      },
    });
  };
  return { ...deps, carriers: { ...deps.carriers, open } };
}
