import { describe, expect, it } from "vitest";
import { putCredential } from "../../src/account/carrier-credentials.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase } from "../support/database.js";
import { addInventory, ids, inboundCall, makeWorld, secrets, tollFreeNumbers } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, schedule } = makeHttpWorld(db);
const REASON = { reason: "test" };

async function quarantined(): Promise<string> {
  const [number = ""] = tollFreeNumbers(1);
  await addInventory(db, [number as never]);
  expect((await request("POST", `/v1/numbers/${number}/quarantine`, { body: REASON })).statusCode).toBe(200);
  return number;
}

describe("POST /v1/numbers", () => {
  it("adds what is right, counts duplicates, and says what is wrong with the rest", async () => {
    const [known = "", a = "", b = ""] = tollFreeNumbers(3);
    await addInventory(db, [known as never]);
    const credentialId = await putCredential(
      { db, ids, secrets },
      { carrier: "twilio", accountId: null, secrets: { auth_tokens: ["t"] }, intercept: "reject" },
    );
    const numbers = [
      known,
      a,
      a,
      { number: b, credential_id: credentialId },
      { number: "+14155550111", carrier: "my-trunk" },
      { number: "+14155550112", credential_id: "crd_none" },
      { number: "+14155550113", carrier: "plivo", credential_id: credentialId },
      "(415) 555-0114",
      "",
      "+1555",
    ];
    const response = await request("POST", "/v1/numbers", { body: { numbers } });
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({ added: 3, duplicates: 2 });
    expect(response.json().invalid.map((entry: { number: string }) => entry.number)).toEqual([
      "+14155550112",
      "+14155550113",
      "(415) 555-0114",
      "",
      "+1555",
    ]);
    expect((await request("GET", `/v1/numbers/${b}`)).json()).toMatchObject({
      carrier: "twilio",
      credential_id: credentialId,
      state: "available",
      type: "toll_free",
      npa: "888",
      role: null,
      account_id: null,
      quarantine: null,
      history: [{ state: "available", actor: "key:admin" }],
    });
    expect((await request("GET", "/v1/numbers/+14155550111")).json().carrier).toBe("my-trunk");
  });

  it("takes 10,000 a request and no more", async () => {
    const numbers = Array.from({ length: 10_000 }, (_, i) => ({
      number: `+1877${String(2_000_000 + i)}`,
      carrier: "signalwire",
    }));
    const response = await request("POST", "/v1/numbers", { body: { numbers } });
    expect(response.json()).toEqual({ added: 10_000, duplicates: 0, invalid: [] });
    const again = await request("POST", "/v1/numbers", { body: { numbers } });
    expect(again.json()).toEqual({ added: 0, duplicates: 10_000, invalid: [] });
    const tooMany = await request("POST", "/v1/numbers", { body: { numbers: [...numbers, "+18775550100"] } });
    expect(problemIn(tooMany).status).toBe(422);
  });

  it.each([[{}], [{ numbers: [] }], [{ numbers: [5] }], [{ numbers: [{ number: "+18885550100", price: 1 }] }]])(
    "refuses %j",
    async (body) => {
      expect(problemIn(await request("POST", "/v1/numbers", { body })).status).toBe(422);
    },
  );
});

describe("GET /v1/numbers", () => {
  it("filters by state, pool, type and area code", async () => {
    const world = await makeWorld(db, 2);
    const key = await keyOf(world.account.id, ["read"]);
    await addInventory(db, ["+13105550100" as never]);
    const of = async (query: string, as?: string) => {
      const response = await request("GET", `/v1/numbers?limit=500&${query}`, as === undefined ? {} : { key: as });
      return response.json().data.map((row: { number: string }) => row.number);
    };
    expect(await of(`pool_id=${world.pool.id}`)).toEqual(world.numbers);
    expect(await of("type=local&npa=310")).toEqual(["+13105550100"]);
    expect(await of("state=available&npa=310")).toEqual(["+13105550100"]);
    expect(await of("state=assigned", key)).toEqual(world.numbers);
    expect(await of("state=available", key)).toEqual([]);
    expect(problemIn(await request("GET", "/v1/numbers?state=lost")).status).toBe(422);
  });

  it("pages are complete and without repetition while numbers are added", async () => {
    const numbers = Array.from({ length: 9 }, (_, i) => `+1208555010${i}`);
    await addInventory(db, numbers.filter((_, i) => i % 2 === 0) as never);
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = (await request("GET", `/v1/numbers?npa=208&limit=2${query}`)).json();
      seen.push(...page.data.map((row: { number: string }) => row.number));
      cursor = page.next_cursor;
      if (seen.length === 2) await addInventory(db, numbers.filter((_, i) => i % 2 === 1) as never);
    }
    // +12085550101 came to lie before the cursor; everything behind it appears once.
    expect(seen).toEqual(numbers.filter((number) => number !== "+12085550101"));
  });
});

describe("moves", () => {
  it("quarantine shows the rule's verdict and the history says who and why", async () => {
    const number = await quarantined();
    const shown = (await request("GET", `/v1/numbers/${number}`)).json();
    expect(shown.state).toBe("quarantined");
    const { entered_at, hold_until, earliest_release_at } = shown.quarantine;
    expect(Date.parse(hold_until) - Date.parse(entered_at)).toBe(45 * 86_400_000);
    expect(Date.parse(earliest_release_at)).toBeGreaterThanOrEqual(Date.parse(hold_until));
    expect(shown.history.at(-1)).toMatchObject({ state: "quarantined", reason: "test", actor: "key:admin" });
    expect(schedule.checks.map(({ e164 }) => e164)).toContain(number);
    const listed = (await request("GET", "/v1/numbers?state=quarantined&limit=500")).json().data;
    const { history: _, ...withoutHistory } = shown;
    const inList = listed.find((row: { number: string }) => row.number === number);
    expect({ ...inList, quarantine: null }).toEqual({ ...withoutHistory, quarantine: null });
    expect(inList.quarantine.entered_at).toBe(entered_at);
  });

  it("intercepted calls show in the quarantine block, a caller's second dial does not count", async () => {
    const number = await quarantined();
    for (const caller of ["+14155550123", "+14155550123", "+14155550199"]) {
      await openCall(
        { db, secrets, ids },
        { call: inboundCall(number, { caller }), callId: ids.next("call"), late: null },
      );
    }
    const { quarantine } = (await request("GET", `/v1/numbers/${number}`)).json();
    expect(quarantine).toMatchObject({ intercepted_calls: 3, distinct_callers: 2 });
    expect(Date.parse(quarantine.last_intercepted_at)).toBeGreaterThan(0);
    expect(quarantine.rate_upper_bound_per_day).toBeGreaterThan(0.1);
  });

  it("a number that is not clean is released only by force of an admin", async () => {
    const number = await quarantined();
    const url = `/v1/numbers/${number}/release`;
    expect(problemIn(await request("POST", url, { body: REASON }))).toMatchObject({ status: 409, code: "not_clean" });
    const body = { force: true, reason: "moved by contract" };
    const platform = await keyOf(null, ["write"]);
    expect(problemIn(await request("POST", url, { key: platform, body })).code).toBe("not_clean");
    const released = await request("POST", url, { body });
    expect(released.json()).toMatchObject({ state: "available", quarantine: null });
    expect(released.json().history.at(-1).reason).toContain("moved by contract");
    expect(problemIn(await request("POST", url, { body })).code).toBe("illegal_transition");
  });

  it("a reason is required, and illegal moves are 409", async () => {
    const number = await quarantined();
    for (const move of ["quarantine", "release", "retire"]) {
      const problem = problemIn(await request("POST", `/v1/numbers/${number}/${move}`, { body: {} }));
      expect(problem).toMatchObject({ status: 422, errors: [{ path: "reason" }] });
    }
    const again = await request("POST", `/v1/numbers/${number}/quarantine`, { body: REASON });
    expect(problemIn(again)).toMatchObject({ status: 409, code: "illegal_transition" });
    expect((await request("POST", `/v1/numbers/${number}/retire`, { body: REASON })).json().state).toBe("retired");
    const released = await request("POST", `/v1/numbers/${number}/release`, { body: { ...REASON, force: true } });
    expect(problemIn(released).code).toBe("illegal_transition");
  });

  it("an account may quarantine its own number, which it then cannot see any more", async () => {
    const world = await makeWorld(db, 1);
    const key = await keyOf(world.account.id, ["read", "write"]);
    const [number = ""] = world.numbers;
    const retired = await request("POST", `/v1/numbers/${number}/retire`, { key, body: REASON });
    expect(problemIn(retired).code).toBe("illegal_transition");
    const moved = await request("POST", `/v1/numbers/${number}/quarantine`, { key, body: REASON });
    expect(moved.json().state).toBe("quarantined");
    expect(problemIn(await request("GET", `/v1/numbers/${number}`, { key })).code).toBe("not_found");
  });

  it("an account's key reads neither reasons nor keys of the account that had its number before", async () => {
    const [former, next] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const number = former.numbers[0] ?? "";
    const [formerKey, nextKey] = [await keyOf(former.account.id, ["write"]), await keyOf(next.account.id, ["read"])];
    const url = `/v1/numbers/${number}`;
    const mine = { key: formerKey, body: { reason: "our client left" } };
    expect((await request("POST", `${url}/quarantine`, mine)).statusCode).toBe(200);
    const forced = { body: { reason: "asked by them", force: true } };
    expect((await request("POST", `${url}/release`, forced)).statusCode).toBe(200);
    const roomy = { body: { max_size: 2 } };
    expect((await request("PATCH", `/v1/pools/${next.pool.id}`, roomy)).statusCode).toBe(200);
    const taken = await request("POST", `/v1/pools/${next.pool.id}/numbers`, { body: { numbers: [number] } });
    expect(taken.statusCode).toBe(200);
    const other = { reason: "another account", actor: "another account" };
    const seen = (await request("GET", url, { key: nextKey })).json().history;
    expect(seen).toMatchObject([
      { state: "available", actor: "key:admin" },
      { state: "assigned", ...other },
      { state: "quarantined", ...other },
      { state: "available", ...other },
      { state: "assigned", actor: "key:admin" },
    ]);
    const all = (await request("GET", url)).json().history;
    expect(all[2].reason).toContain("our client left");
    expect(all.map((event: { at: string }) => event.at)).toEqual(seen.map((event: { at: string }) => event.at));
  });

  it("an unknown number is 404", async () => {
    expect(problemIn(await request("GET", "/v1/numbers/+18889999999")).code).toBe("not_found");
    const moved = await request("POST", "/v1/numbers/+18889999999/quarantine", { body: REASON });
    expect(problemIn(moved).code).toBe("not_found");
  });
});
