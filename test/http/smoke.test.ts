import { expect, it } from "vitest";
import { freshDatabase } from "../support/database.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";
import { makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const world = makeHttpWorld(db);
it("smoke", async () => {
  const w = await makeWorld(db, 2);
  for (const url of ["/healthz", "/readyz", "/metrics", "/docs", "/docs/json","/openapi.json", "/v1/accounts", "/v1/numbers", "/v1/pools", "/v1/nope", "/v1/calls?limit=501", `/v1/numbers/${w.numbers[0]}`, "/v1/pools/%00", "/v1/%zz"]) {
    const r = await world.request("GET", url);
    console.log(url, r.statusCode, r.headers["content-type"], r.body.slice(0, 300));
  }
  const r = await world.request("POST", "/v1/presentations", { key: null, body: { tag_key: w.account.tagKey, numbers: ["+18005550100"], page: { url: "https://x.example/?utm_source=a" } } });
  console.log(r.statusCode, r.headers, r.body);
  const o = await world.request("GET", "/openapi.json");
  console.log(JSON.stringify(o.json().paths["/v1/pools"], null, 1).slice(0, 6000));
  console.log(world.lines);
});
