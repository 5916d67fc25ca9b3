import { describe, expect, it } from "vitest";
import { createDestination } from "../../../src/account/destinations.store.js";
import { freshDatabase } from "../../support/database.js";
import { addInventory, ids } from "../../support/world.js";
import { makeHttpWorld } from "../support/http-world.js";
import { makeInvocaWorld, VERSION } from "./support/invoca-world.js";

const { db } = await freshDatabase();
const world = await makeInvocaWorld(db, 60);
const { account, campaign, call, makePool, request } = world;
const url = (id: unknown) => `${campaign}/ring_pools/${String(id)}.json`;
const ours = async (id: string) => (await request("GET", `/v1/pools/${id}`)).json();
const destinationOf = async (number: string) =>
  (await request("GET", `/v1/destinations?account_id=${account.id}&limit=500`))
    .json()
    .data.find((one: { number: string }) => one.number === number);

describe("ring pools", () => {
  it("have Invoca's defaults", async () => {
    const body = { id_from_network: "defaults", name: "D", destination_phone_number: "(888) 333-0001" };
    const made = (await call("POST", `${campaign}/ring_pools.json`, body)).json();
    expect(made).toMatchObject({
      max_pool_size: 2,
      lifetime_seconds: 1800,
      preferred: false,
      fill_immediately: false,
      allow_overflow: true,
    });
    expect(await ours(made.id)).toMatchObject({
      kind: "automatic",
      number_type: "toll_free",
      size: 2,
      destination_number: "+18883330001",
    });
    expect(await destinationOf("+18883330001")).toMatchObject({ status: "tracked" });
  });

  it("a destination that was discovered or ignored becomes tracked", async () => {
    for (const [index, status] of (["discovered", "ignored"] as const).entries()) {
      const number = `+1888333001${index}`;
      await createDestination({ db, ids }, account.id, { number: number as never, status });
      await makePool({ destination_phone_number: number });
      expect(await destinationOf(number)).toMatchObject({ status: "tracked" });
    }
  });

  it("a second pool of a destination serves visitors whose campaign is its id", async () => {
    await makePool({ destination_phone_number: "8883330020" });
    const second = await makePool({ id_from_network: "spring sale", destination_phone_number: "8883330020" });
    expect(await ours(second.id)).toMatchObject({ kind: "campaign", campaign: "spring sale" });
    const elsewhere = { id_from_network: "spring sale", name: "Other", destination_phone_number: "8883330021" };
    const again = await call(
      "POST",
      `${VERSION}/${account.id}/advertisers/${account.id}/advertiser_campaigns/other/ring_pools.json`,
      elsewhere,
    );
    expect([again.statusCode, again.json().id]).toEqual([200, second.id]);
  });

  it("PUT creates as well, under the id of the path, and any campaign's path finds it", async () => {
    const body = { name: "Put", destination_phone_number: "8883330030", max_pool_size: "2" };
    const made = await call("PUT", url("by put"), body);
    expect([made.statusCode, made.json().id_from_network]).toEqual([200, "by put"]);
    expect((await call("GET", url("by put").replace("/87/", "/any/"))).json()).toEqual(made.json());
    expect((await call("PUT", url("by put"), { id_from_network: "else" })).json()).toEqual({
      errors: { id_from_network: ["can't be changed"] },
    });
    expect((await call("PUT", url("nameless"), {})).json()).toEqual({ errors: { name: ["can't be blank"] } });
    expect((await call("PUT", url("by put"), { name: " " })).json()).toEqual({ errors: { name: ["can't be blank"] } });
  });

  it("the same POST sent at once many times makes one pool", async () => {
    const body = { id_from_network: "at once", name: "Once", destination_phone_number: "8883330040" };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => call("POST", `${campaign}/ring_pools.json`, body)),
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
  });

  it("allow_overflow never changes; the same value is no change", async () => {
    for (const allow of [true, false]) {
      const pool = await makePool({ destination_phone_number: `88833300${allow ? 50 : 51}`, allow_overflow: allow });
      const name = pool["id_from_network"];
      expect(pool["allow_overflow"]).toBe(allow);
      expect((await call("PUT", url(name), { allow_overflow: String(allow), name: "Same" })).statusCode).toBe(200);
      const refused = await call("PUT", url(name), { allow_overflow: !allow, name: "Refused" });
      expect([refused.statusCode, refused.json()]).toEqual([403, { errors: { allow_overflow: ["can't be changed"] } }]);
      expect((await call("GET", url(name))).json()).toMatchObject({ name: "Same", allow_overflow: allow });
    }
  });

  it("fill_immediately fills, now or when it is set later", async () => {
    const body = { destination_phone_number: "8883330060", max_pool_size: 5, fill_immediately: false };
    const pool = await makePool(body);
    expect((await ours(pool.id)).size).toBe(2);
    await call("PUT", url(pool["id_from_network"]), { fill_immediately: "true" });
    expect((await ours(pool.id)).size).toBe(5);
    await call("PUT", url(pool["id_from_network"]), { max_pool_size: 3 });
    expect((await ours(pool.id)).size).toBe(3);
    expect((await call("PUT", url(pool["id_from_network"]), { max_pool_size: 90_000 })).statusCode).toBe(200);
  });

  it("local pools are given back as they were asked for, and filled as far as our area codes go", async () => {
    await addInventory(db, ["+18055550111", "+13105550111", "+12095550111"] as never);
    const center = { tn_prefix: "805" };
    const preferences = {
      search_radius_miles: "20",
      restrict_search_to_state: "true",
      allocation_fallback_strategy: "Wait",
    };
    const local = {
      local_center: center,
      local_number_preferences: preferences,
      destination_phone_number: "8883330070",
    };
    const pool = await makePool({ ...local, allow_overflow: false, max_pool_size: 4 });
    expect(pool).toMatchObject({ local_center: center, local_number_preferences: preferences });
    expect(await ours(pool.id)).toMatchObject({
      kind: "campaign",
      number_type: "local",
      npa: "805",
      npa_fallback: ["same_state", "wait"],
      size: 3,
    });
    const tollFree = await makePool({
      local_center: { latitude: 45, longitude: 45 },
      destination_phone_number: "8883330071",
    });
    expect(await ours(tollFree.id)).toMatchObject({ number_type: "toll_free", kind: "automatic" });
  });

  it("pools of a destination without area code hold its country's numbers, automatic and campaign pools alike", async () => {
    await addInventory(db, ["+33170189119", "+442079460119", "+442079460120", "+442079460121"] as never);
    const abroad = { destination_phone_number: "+442079460018", allow_overflow: false };
    const first = await makePool({ ...abroad, max_pool_size: 1, fill_immediately: true });
    expect(await ours(first.id)).toMatchObject({ kind: "automatic", number_type: "local", npa: null, size: 1 });
    const second = await makePool({ ...abroad, max_pool_size: 3, fill_immediately: true });
    expect(await ours(second.id)).toMatchObject({ kind: "campaign", number_type: "local", npa: null, size: 2 });
    const moved = await call("PUT", url(first["id_from_network"]), { destination_phone_number: "+33170189118" });
    expect(moved.json().errors).toMatchObject({
      destination_phone_number: ["has another type, area code or country than the pool's numbers"],
    });
  });

  it("another destination must fit an automatic pool's numbers", async () => {
    const pool = await makePool({ destination_phone_number: "8883330080" });
    const to = (number: string) => call("PUT", url(pool["id_from_network"]), { destination_phone_number: number });
    expect((await to("(877) 333-0081")).json()).toMatchObject({
      default_customer_phone_number: { destination_phone_number: "8773330081" },
    });
    expect((await to("415-555-0100")).statusCode).toBe(403);
    expect((await to("call me")).json()).toEqual({
      errors: { destination_phone_number: ["is not a valid phone number"] },
    });
  });

  it("deleted with its destination, unless another pool has it", async () => {
    const [first, second] = [
      await makePool({ destination_phone_number: "8883330090" }),
      await makePool({ destination_phone_number: "8883330090" }),
    ];
    await call("DELETE", `${url(first["id_from_network"])}?delete_detected_phone_number=true`);
    expect(await destinationOf("+18883330090")).toMatchObject({ status: "tracked" });
    await call("DELETE", `${url(second["id_from_network"])}?delete_detected_phone_number=1`);
    expect(await destinationOf("+18883330090")).toBeUndefined();
    expect((await call("GET", url(second["id_from_network"]))).statusCode).toBe(404);
  });

  it("without a destination only where the account has one alone", async () => {
    const body = { id_from_network: "none", name: "None" };
    expect((await call("POST", `${campaign}/ring_pools.json`, body)).json()).toEqual({
      errors: { destination_phone_number: ["can't be blank"] },
    });
    const lonely = await makeInvocaWorld(db, 4);
    await lonely.makePool({ destination_phone_number: "8883330099" });
    const made = await lonely.call("POST", `${lonely.campaign}/ring_pools.json`, body);
    expect(made.json()).toMatchObject({ default_customer_phone_number: { destination_phone_number: "8883330099" } });
  });
});

describe("object_url", () => {
  it("is what the client asked where PUBLIC_BASE_URL is not set", async () => {
    const pool = await makePool({ destination_phone_number: "8883330002" });
    const body = { description: "Bus", media_type: "Offline: Radio", destination_phone_number: "8883330002" };
    const number = (await call("POST", `${campaign}/promo_numbers.json`, body)).json();
    const unconfigured = makeHttpWorld(db);
    const get = async (path: string) => {
      const headers = { authorization: world.key, host: "calls.test:8080" };
      return (await unconfigured.request("GET", path, { key: null, headers })).json();
    };
    const poolUrl = `http://calls.test:8080/v1/pools/${pool.id}`;
    expect(await get(url(pool["id_from_network"]))).toMatchObject({ object_url: poolUrl });
    expect(await get(`${campaign}/ring_pools.json`)).toContainEqual(expect.objectContaining({ object_url: poolUrl }));
    const numberUrl = `http://calls.test:8080/v1/static_numbers/${number.id}`;
    expect(await get(`${campaign}/promo_numbers/${number.promo_number}.json`)).toMatchObject({ object_url: numberUrl });
  });
});

describe("promo numbers", () => {
  const numbers = `${campaign}/promo_numbers`;
  const body = { description: "Bus", media_type: "Offline: In\u00adCall Ad", destination_phone_number: "8883330001" };

  it("every POST takes another number; local ones by place", async () => {
    const two = [await call("POST", `${numbers}.json`, body), await call("POST", `${numbers}.json`, body)].map((one) =>
      one.json(),
    );
    expect(two[0].promo_number).not.toBe(two[1].promo_number);
    expect(two[0]).toMatchObject({ media_type: "Offline: In-Call Ad", custom_data: {} });
    await addInventory(db, ["+18185550177"] as never);
    const local = await call("POST", `${numbers}.json`, { ...body, local_center: { city: "Burbank", state: "CA" } });
    expect(local.json().promo_number).toBe("8185550177");
    const none = await call("POST", `${numbers}.json`, {
      ...body,
      local_center: { tn_prefix: "907" },
      local_number_preferences: { allocation_fallback_strategy: "Wait" },
    });
    expect([none.statusCode, none.json().errors.class]).toEqual([403, "RecordInvalid"]);
    const gone = await call("DELETE", `${numbers}/${two[0].promo_number}.json`);
    expect([gone.statusCode, (await call("DELETE", `${numbers}/${two[0].promo_number}.json`)).json()]).toEqual([
      200,
      {},
    ]);
  });

  it("go to no other account", async () => {
    const { promo_number: number } = (await call("POST", `${numbers}.json`, body)).json();
    const move = {
      destination_advertiser_id_from_network: "acc_other",
      destination_advertiser_campaign_id_from_network: "1",
    };
    expect((await call("PUT", `${numbers}/${number}.json`, move)).json().errors.class).toBe("UnauthorizedAdvertiser");
    const stay = { ...move, destination_advertiser_id_from_network: account.id };
    expect((await call("PUT", `${numbers}/${number}.json`, stay)).statusCode).toBe(200);
  });
});
