/** What Invoca documents, request by request: the exact answer, with only ids, keys and times named. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { transactionIdOf } from "../../../src/http/invoca/transaction-id.js";
import { freshDatabase } from "../../support/database.js";
import { callTo, exchange, makeInvocaWorld, settledFeed, VERSION } from "./support/invoca-world.js";

const { db } = await freshDatabase();
const world = await makeInvocaWorld(db, 40);
const { account, campaign, call } = world;
const names: Record<string, string> = { [account.id]: "NETWORK", [account.tagKey]: "TAG", [world.key]: "TOKEN" };

type Method = "GET" | "POST" | "PUT" | "DELETE";

async function golden(name: string, method: Method, url: string, body?: unknown, more: Record<string, string> = {}) {
  const answer = await call(method, url, body);
  const said = body === undefined ? { method, url } : { method, url, body };
  const file = fileURLToPath(new URL(`./golden/${name}.http`, import.meta.url));
  await expect(exchange(said, answer, { ...names, ...more })).toMatchFileSnapshot(file);
  return answer;
}

async function pool(body?: Record<string, unknown>) {
  const made = await world.makePool(body);
  return { ...made, names: { [made.id]: "POOL", [made.api_key]: "KEY" } };
}

async function numbersOf(poolId: string): Promise<string[]> {
  const listed = await world.request("GET", `/v1/numbers?pool_id=${poolId}`);
  return listed.json().data.map(({ number }: { number: string }) => number.slice(2));
}

/** Named in the order in which they are given out. */
async function namesOfNumbers(poolId: string): Promise<Record<string, string>> {
  const entries = (await numbersOf(poolId)).flatMap((number, index) => [
    [number, `NUMBER${index}`],
    [number.replace(/(...)(...)(....)/, "$1-$2-$3"), `NUMBER${index} FORMATTED`],
  ]);
  return Object.fromEntries(entries);
}

describe("allocate_number", () => {
  for (const format of ["json", "xml", "csv"]) {
    it(`in ${format}: a number, and the link with it`, async () => {
      const { id, api_key, names: own } = await pool();
      const url = `${VERSION}/ring_pools/${id}/allocate_number.${format}?ring_pool_key=${api_key}&param1=autos&landing_page=${encodeURIComponent("https://shop.example/a?b=1#c")}`;
      await golden(`allocate-number-${format}`, "GET", url, undefined, { ...own, ...(await namesOfNumbers(id)) });
    });

    it(`in ${format}: a wrong key`, async () => {
      const { id, names: own } = await pool();
      const url = `${VERSION}/ring_pools/${id}/allocate_number.${format}?ring_pool_key=A329F4DC002168`;
      await golden(`allocate-number-invalid-key-${format}`, "GET", url, undefined, own);
    });
  }
});

describe("bulk", () => {
  it("rows in order, overflow only where it is, errors in their rows", async () => {
    const { id, api_key, names: own } = await pool({ max_pool_size: 2 });
    const suffix = (key: string, parameters: string) => `${id}/allocate_number.json?ring_pool_key=${key}&${parameters}`;
    const requests = [
      { api_suffix: suffix(api_key, "m1=autos&m2=ford"), request_id: "193C5F" },
      { api_suffix: suffix("A329F4DC002168", "m1=antiques"), request_id: "58CD4F" },
      { api_suffix: suffix(api_key, "m1="), request_id: "193C5F" },
      { api_suffix: `${id}/allocate_number.json?ring_pool_key=${api_key}` },
      { api_suffix: "nonsense", request_id: 5 },
    ];
    const more = { ...own, ...(await namesOfNumbers(id)) };
    const answer = await golden("bulk", "POST", "/api/2013-07-01/bulk.json", { requests }, more);
    expect(answer.headers["processing-time"]).toMatch(/^\d+$/);
  });

  it("nothing asked for", async () => {
    await golden("bulk-empty", "POST", "/api/2013-07-01/bulk.json", { requests: [] });
  });
});

describe("ring pools", () => {
  const body = {
    id_from_network: "12",
    preferred: true,
    name: "Example RingPool",
    max_pool_size: "3",
    lifetime_seconds: 1800,
    fill_immediately: "false",
    allow_overflow: true,
    destination_phone_number: "888-111-2200",
  };

  it("a pool's whole life", async () => {
    const url = `${campaign}/ring_pools`;
    const made = await call("POST", `${url}.json`, body);
    const own = { [made.json().id]: "POOL", [made.json().api_key]: "KEY" };
    await call("DELETE", `${url}/12.json`);
    const again = await call("POST", `${url}.json`, body);
    own[again.json().id] = "POOL";
    own[again.json().api_key] = "KEY";
    await golden("ring-pool-post-again", "POST", `${url}.json`, { ...body, name: "Again" }, own);
    await golden("ring-pool-get", "GET", `${url}/12.json`, undefined, own);
    const update = {
      id_from_network: "12",
      preferred: true,
      name: "Updated",
      max_pool_size: 15,
      lifetime_seconds: 300,
    };
    await golden("ring-pool-put", "PUT", `${url}/12.json`, update, own);
    await golden("ring-pool-overflow-fixed", "PUT", `${url}/12.json`, { allow_overflow: "false" }, own);
    await golden("ring-pool-delete", "DELETE", `${url}/12.json`, undefined, own);
    await golden("ring-pool-delete-again", "DELETE", `${url}/12.json`, undefined, own);
    await golden("ring-pool-not-found", "GET", `${url}/12.json`, undefined, own);
  });

  it("what is refused", async () => {
    const url = `${campaign}/ring_pools.json`;
    await golden("ring-pool-blank", "POST", url, { preferred: "perhaps", max_pool_size: 0, lifetime_seconds: "x" });
    const local = { id_from_network: "395", name: "India DNP", max_pool_size: "3", local_center: { bad_key: "" } };
    await golden("ring-pool-local-center", "POST", url, { ...local, tn_prefix_whitelist: ["455"] });
    const nowhere = { local_center: { latitude: 45, longitude: 45 }, destination_phone_number: "888-111-2222" };
    const wait = { local_number_preferences: { allocation_fallback_strategy: "Wait" } };
    await golden("ring-pool-no-area-code", "POST", url, { id_from_network: "9", name: "N", ...nowhere, ...wait });
  });
});

describe("promo numbers", () => {
  it("a number's whole life", async () => {
    const url = `${campaign}/promo_numbers`;
    const body = { description: "Halloween", media_type: "Online: Display", custom_data: { channel: "Online lead" } };
    const more = { destination_phone_number: "888-111-2222" };
    const made = await call("POST", `${url}.json`, { ...body, ...more });
    const { id, promo_number: number } = made.json();
    const own = { [number]: "NUMBER", [id]: "ID" };
    expect(made.statusCode).toBe(201);
    await golden("promo-number-get", "GET", `${url}/${number}.json`, undefined, own);
    await golden("promo-number-list", "GET", `${url}.json`, undefined, own);
    await golden(
      "promo-number-put",
      "PUT",
      `${url}/${number}.json`,
      { description: "Updated", id_from_network: "4531" },
      own,
    );
    await golden("promo-number-refused", "POST", `${url}.json`, { media_type: "Online: Carrier pigeon" }, own);
    await golden("promo-number-delete", "DELETE", `${url}/${number}.json`, undefined, own);
    await golden("promo-number-not-found", "GET", `${url}/${number}.json`, undefined, own);
  });
});

describe("destinations", () => {
  it("listed, read and deleted", async () => {
    const { id, names: own } = await pool({ destination_phone_number: "202-555-0001", id_from_network: "13" });
    const url = `${VERSION}/${account.id}/customer_phone_numbers`;
    const list = await call("GET", `${url}.json?query=202-555-0001`);
    const destination = list.json().data[0].id;
    const more = { ...own, [destination]: "DESTINATION", [id]: "POOL" };
    await golden("destinations", "GET", `${url}.json?query=202-555-0001&status=tracked`, undefined, more);
    await golden("destination-get", "GET", `${url}/${destination}.json`, undefined, more);
    await golden("destination-delete", "DELETE", `${url}/${destination}.json`, undefined, more);
    await golden("destination-not-found", "GET", `${url}/dst_none.json`, undefined, more);
  });
});

describe("signals and transactions", () => {
  it("a call, its signals and its correction", async () => {
    const { id, api_key, names: own } = await pool({ destination_phone_number: "888-111-3333", id_from_network: "16" });
    const url = `${VERSION}/ring_pools/${id}/allocate_number.json?ring_pool_key=${api_key}&utm_source=Google&site=main`;
    const number: string = (await call("GET", url)).json().promo_number;
    const callId = transactionIdOf(await callTo(db, `+1${number}`));
    const more: Record<string, string> = { ...own, [callId]: "CALL", [number]: "NUMBER" };
    const name = (key: string, value: string | undefined) => (more[value ?? ""] = key);
    const signals = "/api/2018-02-01/transactions.json";
    const search = { transaction_id: callId };
    const one = {
      name: "sale",
      partner_unique_id: "1",
      occurred_at_time: "1440607313",
      revenue: "100.00",
      value: "true",
    };
    const first = await call("POST", signals, { search, signals: [one, { name: "quote" }] });
    name("SALE", first.json().signals[0].transaction_id);
    name("QUOTE", first.json().signals[1].transaction_id);
    await golden("signals-again", "POST", signals, { search, signals: [one, { name: "quote" }] }, more);
    const changed = await call("PUT", signals, { search, signals: [{ ...one, revenue: "1,000.50" }] });
    name("SALE CHANGED", changed.json().signals[0].transaction_id);
    const custom = { search, custom_data: [{ name: "channel", value: "Paid Search" }] };
    const corrected = await call("POST", signals, custom);
    name("CALL CORRECTED", corrected.json().call.transaction_id);
    expect(corrected.json().call.corrects_transaction_id).toBe(callId);

    const feed = `/api/2020-10-01/networks/transactions/${account.id}`;
    const only = `&call_record_id=${callId}`;
    await settledFeed(
      async () => (await call("GET", `${feed}.json?limit=10${only}`)).json(),
      (rows) => rows.length === 5,
    );
    const columns =
      "transaction_id,transaction_type,complete_call_id,corrects_transaction_id,start_time_local,start_time_utc,duration,connect_duration,calling_phone_number,destination_phone_number,hangup_cause,repeat_calling_phone_number,virtual_line_id,signal_name,signal_partner_unique_id,signal_value,revenue,dynamic_number_pool_referrer_param1_name,dynamic_number_pool_referrer_param1_value";
    const asked = `include_columns=${columns},utm_source,channel,sale${only}`;
    await golden(
      "transactions-json",
      "GET",
      `${feed}.json?${asked},custom_data`.replace(`${only},custom_data`, `,custom_data${only}`),
      undefined,
      more,
    );
    await golden(
      "transactions-csv",
      "GET",
      `${feed}.csv?${asked.replace(",start_time_utc", "")}&column_separator=%7C`,
      undefined,
      more,
    );
    await golden(
      "transactions-xml",
      "GET",
      `${feed}.xml?include_columns=transaction_id,transaction_type,custom_data${only}`,
      undefined,
      more,
    );
    await golden("transactions-header", "GET", `${feed}.csv?limit=1&transaction_id=0000`, undefined, more);
  });

  it("what the Signal API refuses, in Invoca's words", async () => {
    const url = "/api/2018-02-01/transactions.json";
    await golden("signals-no-search", "POST", url, { signals: [{ name: "sale" }] });
    await golden("signals-many-mistakes", "POST", url, {
      search: { transaction_id: "0000000-0000000A" },
      signals: [
        { name: "sale", custom_parameter_1: "12345" },
        { revenue: "1,000", value: "true" },
        { name: "sale", description: "duplicate" },
      ],
      custom_data: [{ value: "no_name" }, { name: "no_value" }],
    });
    await golden("signals-not-found", "POST", url, {
      search: { transaction_id: "00000000-00000001" },
      signals: [{ name: "sale" }],
    });
    const signals = Array.from({ length: 101 }, (_, index) => ({ name: `s${index}` }));
    const tooMany = await call("POST", url, { search: { transaction_id: "00000000-00000001" }, signals });
    expect([tooMany.statusCode, tooMany.json()]).toEqual([
      403,
      { errors: { class: "RecordInvalid", invalid_data: "Validation failed: Signals are limited to 100" } },
    ]);
    await golden("signals-other-advertiser", "POST", url, {
      search: { transaction_id: "00000000-00000001", advertiser_id_from_network: "7" },
      signals: [{ name: "sale" }],
    });
  });
});

describe("calls in progress", () => {
  it("shows who talks now", async () => {
    const {
      id,
      api_key,
      names: own,
    } = await pool({ destination_phone_number: "855-559-5599", id_from_network: "cip" });
    const url = `${VERSION}/ring_pools/${id}/allocate_number.json?ring_pool_key=${api_key}&utm_source=google.com`;
    const number: string = (await call("GET", url)).json().promo_number;
    const callId = transactionIdOf(await callTo(db, `+1${number}`, { isOpen: true }));
    const current = `${VERSION}/calls_in_progress/current_calls.json?organization_type=Network&id=${account.id}`;
    const more = { ...own, [callId]: "CALL", [number]: "NUMBER" };
    await golden(
      "current-calls",
      "GET",
      `${current}&calling_phone_number=4155550123&destination_phone_number=8555595599`,
      undefined,
      more,
    );
    expect((await call("GET", `${current}&external_unique_id=x`)).json()).toEqual({ current_calls: [] });
    await golden("current-calls-half", "GET", `${current}&calling_phone_number=4155550123`);
  });
});

describe("errors for everybody", () => {
  it("are Invoca's, whatever is wrong", async () => {
    await golden("unknown-route", "GET", `${VERSION}/networks/unicorns.json`);
    await golden("unknown-version", "GET", `/api/latest/networks/transactions/${account.id}.json`);
    await golden("unknown-network", "GET", `${VERSION}/networks/transactions/33.json`);
  });
});
