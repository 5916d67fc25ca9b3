/** Times at the end of what four digits of a year can say, through every route that takes one. */
import { describe, expect, it } from "vitest";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { ids, inboundCall, makeWorld, secrets } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request } = makeHttpWorld(db);
const { account, numbers } = await makeWorld(db, 1);
const opened = await openCall(
  { db, secrets, ids },
  { call: inboundCall(numbers[0] ?? ""), callId: ids.next("call"), late: null },
);

/** In UTC it is the year 10000. */
const BEYOND = encodeURIComponent("9999-12-31T23:59:59-23:59");
const LAST = "9999-12-31T23:59:59.999Z";

const LISTS = [
  ["/v1/calls?", ["from", "to", "updated_since"]],
  ["/v1/calls.csv?", ["from", "to", "updated_since"]],
  ["/v1/calls.ndjson?", ["from", "to", "updated_since"]],
  ["/v1/calls/conversions.csv?for=google_ads&", ["from", "to"]],
  ["/v1/presentations?", ["from", "to"]],
  ["/v1/reports/bots?", ["to"]],
  ["/v1/reports/calls?", ["to"]],
  ["/v1/reports/numbers.csv?", ["to"]],
] as const;

describe.each(LISTS)("%s", (url, names) => {
  it.each(names)("%s: the end of 9999 is a time, what an offset leads beyond it is none", async (name) => {
    const refused = await request("GET", `${url}${name}=${BEYOND}`);
    expect(problemIn(refused)).toMatchObject({
      status: 422,
      errors: [{ path: name, message: "must not be after 9999" }],
    });
    for (const last of [LAST, "9999-12-31"]) {
      expect((await request("GET", `${url}${name}=${last}`)).statusCode).toBe(200);
    }
  });
});

it("a report that is rounded up beyond 9999 is made", async () => {
  const range = `from=9999-12-01&to=${LAST}&interval=hour&time_zone=Pacific/Kiritimati`;
  expect((await request("GET", `/v1/reports/calls?${range}`)).statusCode).toBe(200);
});

it("a signal of the year 10000 is refused, and its call can still be read", async () => {
  const signal = { call_id: opened.ref.callId, name: "sale" };
  const late = await request("POST", "/v1/signals", { body: { ...signal, occurred_at: decodeURIComponent(BEYOND) } });
  expect(problemIn(late).code).toBe("invalid_value");
  expect((await request("POST", "/v1/signals", { body: { ...signal, occurred_at: LAST } })).statusCode).toBe(201);
  expect((await request("GET", "/v1/calls")).json().data[0].signals).toMatchObject([{ occurred_at: LAST }]);
});

it("Invoca's clients may ask for everything until the last day", async () => {
  const url = `/api/2022-08-01/networks/transactions/${account.id}.json?from=1970-01-01&to=9999-12-31`;
  expect((await request("GET", url)).statusCode).toBe(200);
});
