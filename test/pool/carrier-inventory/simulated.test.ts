import { describe, expect, it } from "vitest";
import { CarrierFault } from "../../../src/pool/carrier-inventory/carrier-fault.js";
import { SimulatedCarrier } from "../../../src/pool/carrier-inventory/simulated.js";
import type { E164 } from "../../../src/telephony/e164.js";

const clock = { monotonicMs: () => 0 };
const wanted = (number: string, mark = "mark") => ({ number: number as E164, mark, webhooks: null });

describe("the simulated carrier", () => {
  it("has the same stock every time, lowest number first, without what it sold", async () => {
    const [one, two] = [new SimulatedCarrier({ clock }), new SimulatedCarrier({ clock })];
    const query = { type: "local", npa: "415", callingCode: null, limit: 2 } as const;
    expect(await one.searchStock(query)).toEqual(await two.searchStock(query));
    await one.buy(wanted("+14152000000"));
    expect(await one.searchStock(query)).toEqual(["+14152000001", "+14152000002"]);
  });

  it("does not offer again what it sold in an earlier life", async () => {
    const carrier = new SimulatedCarrier({ clock, soldBefore: async () => ["+14152000000"] });
    expect(await carrier.searchStock({ type: "local", npa: "415", callingCode: null, limit: 1 })).toEqual([
      "+14152000001",
    ]);
  });

  it("can run short", async () => {
    const carrier = new SimulatedCarrier({ clock, stockPerNpa: 1 });
    expect(await carrier.searchStock({ type: "local", npa: "415", callingCode: null, limit: 5 })).toEqual([
      "+14152000000",
    ]);
    expect(await carrier.buy(wanted("+14152000001"))).toEqual({ kind: "taken" });
    carrier.setStock("415", 0);
    expect(await carrier.searchStock({ type: "local", npa: "415", callingCode: null, limit: 5 })).toEqual([]);
  });

  it("sells numbers of a country without area codes", async () => {
    const carrier = new SimulatedCarrier({ clock, stockPerNpa: 2 });
    const query = { type: "local", npa: null, callingCode: "+44", limit: 5 } as const;
    expect(await carrier.searchStock(query)).toEqual(["+442000000", "+442000001"]);
    expect(await carrier.buy(wanted("+442000000"))).toMatchObject({ kind: "bought" });
    expect(await carrier.buy(wanted("+442079460018"))).toEqual({ kind: "taken" });
    expect(await carrier.searchStock(query)).toEqual(["+442000001"]);
  });

  it("sells one number once, whatever is asked again", async () => {
    const carrier = new SimulatedCarrier({ clock });
    expect(await carrier.buy(wanted("+14152000000"))).toMatchObject({ kind: "bought" });
    expect(await carrier.buy(wanted("+14152000000"))).toMatchObject({ kind: "bought" });
    expect((await carrier.listOwned(null)).numbers).toHaveLength(1);
    expect((await carrier.findOwned({ mark: "mark" })).map(({ number }) => number)).toEqual(["+14152000000"]);
  });

  it("can deliver later, fail, and be slow", async () => {
    let nowMs = 0;
    const carrier = new SimulatedCarrier({ clock: { monotonicMs: () => nowMs }, deliversAfterMs: 10, latencyMs: 1 });
    const order = await carrier.buy(wanted("+14152000000"));
    expect(order).toMatchObject({ kind: "pending" });
    const ref = "ref" in order ? order.ref : "";
    expect(await carrier.checkOrder(ref)).toEqual({ kind: "pending" });
    nowMs = 10;
    expect(await carrier.checkOrder(ref)).toEqual({ kind: "delivered" });
    expect(await carrier.checkOrder(ref)).toEqual({ kind: "delivered" });
    expect(await carrier.checkOrder("SIM+14152000009")).toMatchObject({ kind: "failed" });
    carrier.failNext(new CarrierFault("rate_limited", "slow down", { retryAfterMs: 5 }));
    await expect(carrier.listOwned(null)).rejects.toMatchObject({ kind: "rate_limited", retryAfterMs: 5 });
  });

  it("lists page by page and gives numbers back", async () => {
    const carrier = new SimulatedCarrier({ clock });
    for (let i = 0; i < 1_001; i++) await carrier.buy(wanted(`+1415${2_000_000 + i}`));
    const first = await carrier.listOwned(null);
    const second = await carrier.listOwned(first.next);
    expect([first.numbers.length, second.numbers.length, second.next]).toEqual([1000, 1, null]);
    expect(await carrier.release(first.numbers[0]?.ref ?? "")).toBe(true);
    expect(await carrier.release(first.numbers[0]?.ref ?? "")).toBe(false);
  });
});
