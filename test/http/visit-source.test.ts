/** Where a visitor came from, through all pages of a visit: what the tag remembers of it, and what stays theirs when a page says nothing. */
import { describe, expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { addInventory, makeWorld, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request } = makeHttpWorld(db);
const DESTINATION = "+18005550100";
const SHOP = "https://shop.example";
const AD = `${SHOP}/spring?utm_source=google&utm_campaign=spring&gclid=abc`;

async function presented(body: Record<string, unknown>) {
  const response = await request("POST", "/v1/presentations", { key: null, body: { numbers: [DESTINATION], ...body } });
  expect(response.statusCode).toBe(200);
  const { visitor_id, presentations } = response.json();
  return { visitor_id, ...presentations[0] };
}

async function lastLogged() {
  const [row] = await rows<{ touch: object; context: object }>(
    db,
    "select touch, context from presentation order by presented_at desc limit 1",
  );
  return row;
}

describe("the landing that a page tells of", () => {
  it.each<[what: string, said: { url?: string; touch?: object; consent?: object }, touch: object]>([
    ["brings its touch to a page that has none", {}, { utm_source: "google", utm_campaign: "spring", gclid: "abc" }],
    ["is not mixed with a page's own touch", { url: `${SHOP}/a?utm_source=bing` }, { utm_source: "bing" }],
    ["is not mixed with a touch that is given", { touch: { utm_source: "mail" } }, { utm_source: "mail" }],
    [
      "leaves no click id without consent to ads",
      { consent: { ad_storage: "denied" } },
      { utm_source: "google", utm_campaign: "spring" },
    ],
  ])("%s", async (_what, { url = `${SHOP}/contact`, ...rest }, touch) => {
    const { account } = await makeWorld(db, 1);
    const landing = { url: `${AD}#top`, referrer: "https://www.google.com/" };
    await presented({ tag_key: account.tagKey, page: { url, landing }, ...rest });
    const logged = await lastLogged();
    expect(logged?.touch).toEqual(touch);
    const isDeclined = "consent" in rest;
    expect(logged?.context).toMatchObject({
      url,
      landing: { url: isDeclined ? AD.replace("&gclid=abc", "") : AD, referrer: "https://www.google.com/" },
    });
  });

  it.each([[null], [{ url: "" }], [{ url: "not an address", referrer: null, more: 1 }]])(
    "may be %j: the page is served",
    async (landing) => {
      const { account } = await makeWorld(db, 1);
      const page = { url: `${SHOP}/`, landing };
      expect(await presented({ tag_key: account.tagKey, page })).toMatchObject({ outcome: "presented" });
      expect((await lastLogged())?.touch).toEqual({});
    },
  );
});

describe("an address that would run where somebody makes a link of it", () => {
  it.each([
    "javascript:alert(1)",
    " JavaScript:alert(1)",
    "java\nscript\t:alert(1)",
    "\u0001javascript:alert(1)",
    "vbscript:x",
    "data:text/html,x",
  ])("is not kept: %j", async (url) => {
    const { account } = await makeWorld(db, 1);
    const page = { url, referrer: url, landing: { url, referrer: url } };
    expect(await presented({ tag_key: account.tagKey, page })).toMatchObject({ outcome: "presented" });
    const nothing = { url: "", referrer: "" };
    expect((await lastLogged())?.context).toEqual({ ...nothing, landing: nothing });
  });

  it.each([
    "https://shop.example/javascript:alert(1)",
    "android-app://com.google.android.gm/",
    "datalake:x",
    "file:///a.html",
  ])("is not %j", async (url) => {
    const { account } = await makeWorld(db, 1);
    await presented({ tag_key: account.tagKey, page: { url } });
    expect((await lastLogged())?.context).toEqual({ url });
  });
});

describe("a visitor of a campaign's pool", () => {
  async function makeShop() {
    const { account } = await makeWorld(db, 2);
    await addInventory(db, tollFreeNumbers(1));
    const pool = { name: "Spring", kind: "campaign", campaign: "spring", destination_number: DESTINATION };
    const body = { account_id: account.id, ...pool, number_type: "toll_free", max_size: 1 };
    expect((await request("POST", "/v1/pools", { body })).statusCode).toBe(201);
    return account.tagKey;
  }

  it("keeps its number on pages that say nothing of where the visitor came from, and the call its touch", async () => {
    const tag_key = await makeShop();
    const first = await presented({ tag_key, page: { url: AD } });
    const { visitor_id, promo_number, presentation_id } = first;
    const next = await presented({ tag_key, visitor_id, page: { url: `${SHOP}/contact` } });
    expect(next).toMatchObject({ outcome: "renewed", promo_number, presentation_id });
    expect((await lastLogged())?.touch).toMatchObject({ utm_campaign: "spring" });
  });

  it("gets another pool's number when another source brings them, and then keeps that", async () => {
    const tag_key = await makeShop();
    const { visitor_id, promo_number } = await presented({ tag_key, page: { url: AD } });
    const mailed = await presented({ tag_key, visitor_id, page: { url: `${SHOP}/?utm_source=mail` } });
    expect(mailed.outcome).toBe("presented");
    expect(mailed.promo_number).not.toBe(promo_number);
    const next = await presented({ tag_key, visitor_id, page: { url: `${SHOP}/contact` } });
    expect(next).toMatchObject({ outcome: "renewed", promo_number: mailed.promo_number });
  });

  it("is an ordinary visitor once the number is theirs no longer", async () => {
    const tag_key = await makeShop();
    const { visitor_id, promo_number } = await presented({ tag_key, page: { url: AD } });
    const { pool_id } = (await request("GET", `/v1/numbers/${promo_number}`)).json();
    expect((await request("DELETE", `/v1/pools/${pool_id}/numbers/${promo_number}`)).statusCode).toBe(200);
    const next = await presented({ tag_key, visitor_id, page: { url: `${SHOP}/contact` } });
    expect(next).toMatchObject({ outcome: "presented", promo_number: expect.not.stringMatching(`\\${promo_number}`) });
  });
});
