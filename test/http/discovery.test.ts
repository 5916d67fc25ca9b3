import { describe, expect, it } from "vitest";
import { createAccount, updateAccount } from "../../src/account/accounts.store.js";
import { DISCOVERED_A_DAY_MAX } from "../../src/account/destinations.store.js";
import { Listener } from "../../src/db/listen.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { AUTO_POOLS_A_DAY_MAX } from "../../src/pool/discovery.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { addInventory, ids, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, lines } = makeHttpWorld(db);

interface Presented {
  readonly outcome: string;
  readonly promo_number: string | null;
}

async function accountThat(autoCreatePools: boolean) {
  return createAccount({ db, ids, random: systemRandom }, { name: "Acme", autoCreatePools });
}

async function see(tagKey: string, numbers: readonly string[], more: object = {}): Promise<Presented[]> {
  const body = { tag_key: tagKey, numbers, page: { url: "https://shop.example/" }, ...more };
  const response = await request("POST", "/v1/presentations", { key: null, body });
  expect(response.statusCode).toBe(200);
  return response.json().presentations;
}

const poolsOf = (accountId: string) =>
  rows(
    db,
    `select p.kind, p.number_type, p.npa, p.max_size, p.overflow, p.auto_created, d.number,
       (select count(*) from promo_number n where n.pool_id = p.id and n.state = 'assigned') as size
     from pool p join destination d on d.id = p.destination_id where p.account_id = $1 and p.deleted_at is null order by p.id`,
    [accountId],
  );
const destinationsOf = (accountId: string) =>
  rows(db, "select number, status from destination where account_id = $1 order by number", [accountId]);

describe("a number that a page shows for the first time", () => {
  it("is listed as discovered and keeps its text, unless the account says otherwise", async () => {
    const account = await accountThat(false);
    expect(await see(account.tagKey, ["+18005550100", "415-555-0101"])).toMatchObject([
      { outcome: "original" },
      { outcome: "original" },
    ]);
    expect(await destinationsOf(account.id)).toEqual([
      { number: "+14155550101", status: "discovered" },
      { number: "+18005550100", status: "discovered" },
    ]);
    expect(await poolsOf(account.id)).toEqual([]);
  });

  it("gets an automatic pool with the usual settings where the account says so, and the very page is served from it", async () => {
    const account = await accountThat(true);
    const added = tollFreeNumbers(2);
    await addInventory(db, added);
    const [one] = await see(account.tagKey, ["(800) 555-0102"]);
    expect(one).toMatchObject({ outcome: "presented", promo_number: added[0] });
    expect(await destinationsOf(account.id)).toEqual([{ number: "+18005550102", status: "tracked" }]);
    expect(await poolsOf(account.id)).toEqual([
      {
        kind: "automatic",
        number_type: "toll_free",
        npa: null,
        max_size: 2,
        overflow: "overflow_number",
        auto_created: true,
        number: "+18005550102",
        size: 2,
      },
    ]);
    expect(await see(account.tagKey, ["+18005550102"])).toMatchObject([
      { outcome: "overflow", promo_number: added[1] },
    ]);
  });

  it("takes type and area code from the number, and has an empty pool while the inventory has nothing", async () => {
    const account = await accountThat(true);
    expect(await see(account.tagKey, ["+14155550103"])).toMatchObject([{ outcome: "original" }]);
    expect(await poolsOf(account.id)).toMatchObject([{ number_type: "local", npa: "415", size: 0 }]);
  });

  it("one that was discovered before gets its pool once the account says so; an ignored one never", async () => {
    const account = await accountThat(false);
    await see(account.tagKey, ["+18005550104", "+18005550105"]);
    await rows(db, "update destination set status = 'ignored' where account_id = $1 and number = '+18005550105'", [
      account.id,
    ]);
    await request("PATCH", `/v1/accounts/${account.id}`, { body: { auto_create_pools: true } });
    await see(account.tagKey, ["+18005550104", "+18005550105"]);
    expect(await poolsOf(account.id)).toMatchObject([{ number: "+18005550104" }]);
  });

  it("seen by many at once makes one pool, in one process and in two", async () => {
    const account = await accountThat(true);
    await addInventory(db, tollFreeNumbers(4));
    const second = makeHttpWorld(db);
    const body = { tag_key: account.tagKey, numbers: ["+18005550106"], page: { url: "https://shop.example/" } };
    const worlds = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? request : second.request));
    const answers = await Promise.all(worlds.map((ask) => ask("POST", "/v1/presentations", { key: null, body })));
    const outcomes = answers.map((answer) => answer.json().presentations[0].outcome as string);
    expect(outcomes.filter((outcome) => outcome === "presented")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "overflow")).toHaveLength(39);
    expect(await poolsOf(account.id)).toHaveLength(1);
  });
});

it("other processes hear that an account changed, as they do of destinations and pools", async () => {
  const account = await accountThat(false);
  const heard: (string | null)[] = [];
  const listener = new Listener({
    database: db,
    channel: "ringmatch_routing",
    log: silentLog,
    onChange: (what) => heard.push(what),
  });
  await listener.start();
  await request("PATCH", `/v1/accounts/${account.id}`, { body: { auto_create_pools: true } });
  await until("it was told", () => heard.includes(`account ${account.id} ${account.id}`));
  await listener.stop();
});

describe("what a page cannot cause", () => {
  it("a pool for a number that costs more than a national call: it is only listed", async () => {
    const account = await accountThat(true);
    const dear = ["+18765550100", "+19005550100", "+442079460100"];
    await see(account.tagKey, dear);
    expect(await poolsOf(account.id)).toEqual([]);
    expect((await destinationsOf(account.id)).map(({ number }) => number)).toEqual([...dear].sort());
  });

  it("a pool, or an entry, for one of our own promo numbers, as a page kept in a cache shows them", async () => {
    const [promo] = tollFreeNumbers(1) as [E164];
    await addInventory(db, [promo]);
    for (const auto of [true, false]) {
      const account = await accountThat(auto);
      expect(await see(account.tagKey, [promo])).toMatchObject([{ outcome: "original" }]);
      expect(await destinationsOf(account.id)).toEqual([]);
    }
  });

  it("anything, when it is a suspected bot", async () => {
    const account = await accountThat(true);
    const options = {
      key: null,
      remoteAddress: "198.51.100.30",
      body: {
        tag_key: account.tagKey,
        numbers: ["+18005550107"],
        page: { url: "https://shop.example/", visible: false },
      },
    };
    expect((await request("POST", "/v1/presentations", options)).statusCode).toBe(200);
    expect(await destinationsOf(account.id)).toEqual([]);
  });

  it(`more than ${AUTO_POOLS_A_DAY_MAX} pools a day, even when many ask at once; the rest is listed, and served the next day`, async () => {
    const account = await accountThat(true);
    const numbers = Array.from({ length: AUTO_POOLS_A_DAY_MAX + 15 }, (_, i) => `+1415555${String(2000 + i)}`);
    await Promise.all(Array.from({ length: 7 }, (_, i) => see(account.tagKey, numbers.slice(i * 5, i * 5 + 5))));
    expect(await poolsOf(account.id)).toHaveLength(AUTO_POOLS_A_DAY_MAX);
    const limit = lines.filter(({ event }) => event === "discovery.limit_met");
    expect(limit).toMatchObject([{ level: "warn", fields: { accountId: account.id, limit: "pools" } }]);
    const listed = (await destinationsOf(account.id)).filter(({ status }) => status === "discovered");
    expect(listed.length).toBe(15);

    await rows(db, "update pool set created_at = created_at - interval '25 hours' where account_id = $1", [account.id]);
    // Another process, or this one a minute later: its pause is over.
    const later = makeHttpWorld(db);
    const body = {
      tag_key: account.tagKey,
      numbers: listed.slice(0, 15).map(({ number }) => number),
      page: { url: "https://shop.example/" },
    };
    await later.request("POST", "/v1/presentations", { key: null, body });
    expect(await poolsOf(account.id)).toHaveLength(AUTO_POOLS_A_DAY_MAX + 15);
  });

  it(`more than ${DISCOVERED_A_DAY_MAX} entries a day`, async () => {
    const account = await accountThat(false);
    for (let i = 0; i < DISCOVERED_A_DAY_MAX + 20; i += 20) {
      await see(
        account.tagKey,
        Array.from({ length: 20 }, (_, j) => `+1415555${String(3000 + i + j)}`),
      );
    }
    const listed = await destinationsOf(account.id);
    // Twenty numbers of one page are looked at together and may go over by as many.
    expect(listed.length).toBeGreaterThanOrEqual(DISCOVERED_A_DAY_MAX);
    expect(listed.length).toBeLessThan(DISCOVERED_A_DAY_MAX + 20);
  });

  it("a second pool after its pool was deleted: the destination stays tracked, without one", async () => {
    const account = await accountThat(true);
    await see(account.tagKey, ["+18005550108"]);
    const [pool] = await rows<{ id: string }>(db, "select id from pool where account_id = $1", [account.id]);
    expect((await request("DELETE", `/v1/pools/${pool?.id ?? ""}`)).statusCode).toBe(204);
    expect(await see(account.tagKey, ["+18005550108"])).toMatchObject([{ outcome: "original" }]);
    expect(await poolsOf(account.id)).toEqual([]);
  });

  it("anything with the account's setting of a moment ago: the database's counts", async () => {
    const account = await accountThat(true);
    await see(account.tagKey, ["+13105550100"]);
    await updateAccount(db, account.id, { autoCreatePools: false });
    await see(account.tagKey, ["+13105550101"]);
    expect((await destinationsOf(account.id)).find(({ number }) => number === "+13105550101")).toMatchObject({
      status: "discovered",
    });
    expect(await poolsOf(account.id)).toHaveLength(1);
  });
});
