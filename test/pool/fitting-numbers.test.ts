import { describe, expect, it } from "vitest";
import {
  describeFitting,
  fits,
  fittingNumbers,
  type FittingPool,
  type NpaFallback,
  standsInFor,
} from "../../src/pool/fitting-numbers.js";
import { listNumbers } from "../../src/pool/numbers.store.js";
import { addNumbers, createPool, editPool } from "../../src/pool/pool-changes.js";
import { scalePool } from "../../src/pool/scale-pool.js";
import type { E164 } from "../../src/telephony/e164.js";
import { classifyNumber } from "../../src/telephony/npa.js";
import { freshDatabase } from "../support/database.js";
import {
  addInventory,
  ids,
  makeAccount,
  makeDestination,
  RecordingSchedule,
  tollFreeNumbers,
} from "../support/world.js";

const local = (npa: string, ...npaFallback: NpaFallback[]): FittingPool => ({
  ...{ numberType: "local", npa, npaFallback, destinationNumber: `+1${npa}5550100` },
});
const abroad = (destinationNumber: string, ...npaFallback: NpaFallback[]): FittingPool => ({
  ...{ numberType: "local", npa: null, npaFallback, destinationNumber },
});
const numberLike = (e164: string) => ({ e164, ...classifyNumber(e164) });

describe("fittingNumbers", () => {
  it("of a toll-free pool: any toll-free number, whatever its area code", () => {
    const pool: FittingPool = {
      ...{ numberType: "toll_free", npa: null, npaFallback: [], destinationNumber: "+18005550100" },
    };
    expect(fittingNumbers(pool)).toEqual([{ type: "toll_free", npas: null, callingCode: null }]);
    expect(fits(pool, numberLike("+18885550100"))).toBe(true);
    expect(fits(pool, numberLike("+14155550100"))).toBe(false);
  });

  it("of a local pool without a fallback, or one that waits: its own area code", () => {
    for (const pool of [local("206"), local("206", "wait")]) {
      expect(fittingNumbers(pool)).toEqual([{ type: "local", npas: ["206"], callingCode: null }]);
      expect(fits(pool, numberLike("+14255550100"))).toBe(false);
    }
  });

  it("follow the pool's order, its own area code always first", () => {
    const state = { type: "local", npas: ["253", "360", "425", "509", "564"], callingCode: null };
    const own = { type: "local", npas: ["206"], callingCode: null };
    const tollFree = { type: "toll_free", npas: null, callingCode: null };
    expect(fittingNumbers(local("206", "same_state", "toll_free"))).toEqual([own, state, tollFree]);
    expect(fittingNumbers(local("206", "toll_free", "same_state"))).toEqual([own, tollFree, state]);
    expect(fittingNumbers(local("206", "same_state", "wait"))).toEqual([own, state]);
  });

  it("outside the North American plan: local numbers of the destination's country, and no others", () => {
    const pool = abroad("+442079460018", "same_state");
    expect(fittingNumbers(pool)).toEqual([{ type: "local", npas: null, callingCode: "+44" }]);
    expect(fits(pool, numberLike("+441614960119"))).toBe(true);
    for (const other of ["+33170189119", "+4930901820", "+12065550100", "+18885550100"]) {
      expect(fits(pool, numberLike(other))).toBe(false);
    }
    expect(fits(abroad("+442079460018", "toll_free"), numberLike("+18885550100"))).toBe(true);
    expect(fits(local("206"), numberLike("+442079460119"))).toBe(false);
  });

  it("says of itself what it holds", () => {
    expect(describeFitting(local("206"))).toBe("local (206)");
    expect(describeFitting(local("206", "same_state"))).toBe("local (206, or as npa_fallback says)");
    expect(describeFitting(abroad("+442079460018"))).toBe("local (+44)");
    expect(describeFitting(abroad("+35312345678", "same_state"))).toBe("local (+353)");
  });

  it("stands in for another destination of the same country, where no area code tells them apart", () => {
    const to = (number: string) => ({
      number,
      numberType: classifyNumber(number).type,
      npa: classifyNumber(number).npa,
    });
    expect(standsInFor(abroad("+442079460018"), to("+441614960119"))).toBe(true);
    expect(standsInFor(abroad("+442079460018"), to("+33170189119"))).toBe(false);
    expect(standsInFor(abroad("+442079460018"), to("+12065550100"))).toBe(false);
    expect(standsInFor(local("206"), to("+12065550188"))).toBe(true);
    expect(standsInFor(local("206"), to("+14255550188"))).toBe(false);
  });
});

describe("filling a pool with a fallback", async () => {
  const { db } = await freshDatabase();
  const deps = { db, ids, schedule: new RecordingSchedule() };
  let exchange = 200;

  async function poolOf(npaFallback: readonly NpaFallback[], inventory: Record<string, number>, maxSize: number) {
    const account = await makeAccount(db);
    const destination = await makeDestination(db, account, "+12065550100");
    exchange++;
    for (const [npa, count] of Object.entries(inventory)) {
      const numbers = Array.from({ length: count }, (_, i) => `+1${npa}${exchange}${String(1000 + i)}` as E164);
      await addInventory(db, npa === "888" ? tollFreeNumbers(count) : numbers);
    }
    const pool = await createPool(deps, {
      pool: {
        accountId: account.id,
        name: "local",
        kind: "automatic",
        campaign: null,
        destinationId: destination.id,
        numberType: "local",
        npa: "206",
        sessionLifetimeS: 60,
        retentionS: 600,
        maxSize,
        overflow: "original_number",
        drainS: 600,
        autoscale: null,
        npaFallback,
      },
      fillImmediately: true,
      actor: "test",
    });
    return { account, pool, npas: () => npasIn(pool.id) };
  }

  async function npasIn(poolId: string): Promise<Record<string, number>> {
    const page = { accountId: null, state: null, poolId, type: null, npa: null, after: "", limit: 500 };
    const counts: Record<string, number> = {};
    for (const { npa } of await listNumbers(db, page)) counts[npa ?? ""] = (counts[npa ?? ""] ?? 0) + 1;
    return counts;
  }

  async function emptyInventory(): Promise<void> {
    await db.query({ name: "", text: "update promo_number set state = 'retired' where state = 'available'" });
  }

  it("takes its own area code first, then the state's, then toll-free numbers", async () => {
    const { pool, npas } = await poolOf(
      ["same_state", "toll_free"],
      { "206": 2, "425": 1, "509": 1, "503": 3, "888": 3 },
      6,
    );
    expect(pool.size).toBe(6);
    expect(await npas()).toEqual({ "206": 2, "425": 1, "509": 1, "888": 2 });
    await emptyInventory();
  });

  it("leaves places empty rather than take what it was not told to", async () => {
    for (const fallback of [[], ["wait"]] as const) {
      const { pool, npas } = await poolOf(fallback, { "206": 1, "425": 2, "888": 2 }, 4);
      expect(pool.size).toBe(1);
      expect(await npas()).toEqual({ "206": 1 });
      await emptyInventory();
    }
  });

  it("can be told so later: growing then takes the state's numbers, by count, by scale and by name", async () => {
    const { pool, npas } = await poolOf([], { "206": 1, "425": 2, "888": 1 }, 5);
    const more = { poolId: pool.id, actor: "test" };
    await expect(addNumbers(deps, { ...more, count: 1 })).rejects.toMatchObject({ code: "inventory_short" });
    await editPool(deps, { ...more, changes: { npaFallback: ["same_state"] }, destination: null });
    await addNumbers(deps, { ...more, count: 1 });
    await scalePool({ ...deps, canBuy: false }, { ...more, size: 3, buy: false });
    expect(await npas()).toEqual({ "206": 1, "425": 2 });
    const page = {
      accountId: null,
      state: "available",
      poolId: null,
      type: "toll_free",
      npa: null,
      after: "",
      limit: 1,
    } as const;
    const [tollFree] = await listNumbers(db, page);
    const byName = { ...more, numbers: [tollFree?.e164 as string] };
    await expect(addNumbers(deps, byName)).rejects.toMatchObject({ code: "conflict" });
    await editPool(deps, { ...more, changes: { npaFallback: ["same_state", "toll_free"] }, destination: null });
    expect((await addNumbers(deps, byName)).size).toBe(4);
    await emptyInventory();
  });

  it("the database keeps the choices to those that exist, and to local pools", async () => {
    const { pool } = await poolOf([], { "206": 1 }, 2);
    const set = (value: string) => db.query({ name: "", text: `update pool set ${value} where id = '${pool.id}'` });
    await expect(set("npa_fallback = '{anywhere}'")).rejects.toMatchObject({ code: "23514" });
    await expect(set("number_type = 'toll_free', npa_fallback = '{wait}'")).rejects.toMatchObject({ code: "23514" });
  });
});
