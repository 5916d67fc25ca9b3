/** Hot queries as the planner runs them on tables of some size: by index, and never through a whole table. */
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EARLIER_CALLS, FIRST_VISITS, LATER_CALLS, VISITS } from "../../src/attribution/judging/judge.store.js";
import { CANDIDATES } from "../../src/attribution/candidates.store.js";
import { LATEST_AT, MATCH_NUMBER } from "../../src/attribution/match.store.js";
import { type Database, openDatabase } from "../../src/db/database.js";
import { PLANNED_BY_KEYS } from "../../src/db/planner.js";
import { silentLog } from "../../src/kernel/log.js";
import { SELECT_PAGE_OF_ACCOUNT } from "../../src/pool/numbers.store.js";
import { PICK_ABROAD } from "../../src/pool/number-picks.store.js";
import { SELECT_HELD_POOL } from "../../src/pool/presentations.store.js";
import { COUNT_ABROAD, COUNT_UNUSED, PICK_UNUSED } from "../../src/pool/pool-scaling.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { keepUnanalyzed, nodesOf, type PlanNode, planOf, plansKeptWhile, rowsRead } from "../support/plans.js";
import { endCalls, openTo, presentTo } from "../support/judged.js";
import { addInventory, makeWorld, tollFreeNumbers, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const matching = openDatabase({ url, log: silentLog, connectionsMax: 1, settings: PLANNED_BY_KEYS });
afterAll(() => matching.close());
const SIZE = 20_000;
const PRESENTATIONS = 60_000;
const STATICS = 5_000;

const world = await makeWorld(db, 1);

/** A pool of many numbers, each held by a visitor and unlocked, and a log of some length. */
async function fill(database: Database, { account, pool }: World): Promise<void> {
  await rows(
    database,
    `insert into promo_number (e164, number_type, npa, state, role, account_id, pool_id, ownership_epoch, visitor_id, held_by, presentation_id,
       presentation_seq, last_presented_at, locked_until, retained_until, touch, custom_data)
     select '+1866' || (5000000 + i), 'toll_free', '866', 'assigned', 'pool', $1, $2, 1, 'vis_' || i, 'vis_' || i, 'prs_' || i,
       1, now() - make_interval(secs => i), now() - make_interval(secs => i), now() + interval '1 day', '{}', '{}'
     from generate_series(1, ${SIZE}) i`,
    [account.id, pool.id],
  );
  await rows(
    database,
    `insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id, promo_number, kind,
       locked_until, retained_until, touch, custom_data, context)
     select $1, i % ${SIZE}, 1, i, now() - make_interval(secs => i), 'prl_' || i, 'prs_' || i, 'vis_' || i, $2, '+18665000000', 'presented',
       now(), now(), '{}', '{}', '{}' from generate_series(1, ${PRESENTATIONS}) i`,
    [account.id, pool.id],
  );
  await rows(
    database,
    `with added as (
       insert into promo_number (e164, number_type, npa, state, role, account_id, ownership_epoch)
       select '+1855' || (5000000 + i), 'toll_free', '855', 'assigned', 'static', $1, 1 from generate_series(1, ${STATICS}) i returning id
     )
     insert into static_number (id, number_id, ownership_epoch, account_id, destination_id, name, touch, drain_s)
     select 'stn_' || id, id, 1, $1, $2, 'print', '{}', 0 from added`,
    [account.id, pool.destinationId],
  );
  await rows(
    database,
    "insert into visitor (id, account_id, first_seen_at) select 'vis_' || i, $1, now() from generate_series(1, $2::int) i",
    [account.id, SIZE],
  );
}

beforeAll(async () => {
  await fill(db, world);
  const client = await db.connect();
  await client.query("vacuum (analyze)");
  await client.end();
});

const ALLOCATION = "select * from present_batch($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const BATCH = 64;

/** Half of the visitors come back, half are new. */
function allocationOf({ account, pool }: World, mark: string): unknown[] {
  const list = (make: (i: number) => string): string[] => Array.from({ length: BATCH }, (_, i) => make(i));
  return [
    list(() => account.id),
    list(() => pool.id),
    list((i) => (i % 2 === 0 ? `vis_${i + 1}` : `vis_${mark}${i}`)),
    list((i) => `vis_fresh${mark}${i}`),
    list((i) => `prs_${mark}${i}`),
    list((i) => `prl_${mark}${i}`),
    list(() => "{}"),
    list(() => "{}"),
    list(() => "{}"),
  ];
}

/** Sequence and time of a line of the log, as a record keeps them: in whole milliseconds. */
async function shown(database: Database, id: string): Promise<unknown[]> {
  const [row] = await rows<{ at: string; seq: number }>(
    database,
    "select to_char(presented_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as at, seq from presentation where id = $1",
    [id],
  );
  return [[row?.seq], [row?.at]];
}

const BIG = /^(promo_number|presentation|visitor|static_number)/;

function expectByIndex(nodes: readonly PlanNode[], indexes: readonly string[]): void {
  const scans = nodes.filter((n) => BIG.test(n["Relation Name"] ?? ""));
  expect(
    scans.filter(
      (n) => n["Node Type"].includes("Seq Scan") && (n["Actual Rows"] ?? 0) * (n["Actual Loops"] ?? 0) > 100,
    ),
  ).toEqual([]);
  const used = nodes.flatMap((n) => n["Index Name"] ?? []);
  for (const index of indexes) expect(used.some((name) => name.startsWith(index))).toBe(true);
  // An index that reads a whole table is no better.
  expect(scans.filter((n) => rowsRead(n) >= 1_000)).toEqual([]);
}

/** Calls of one statement: PostgreSQL compares a kept plan with one for the very values from the sixth time on. */
const BATCHES = [1, 1, 1, 1, 1, 1, 48, 1];

interface PlansMade {
  readonly name: string;
  readonly generic: number;
  readonly custom: number;
}

/** Of these statements, in a session of one connection. */
function plansMade(session: Database, names: readonly string[]): Promise<PlansMade[]> {
  return rows<PlansMade>(
    session,
    `select name, generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements where name = any($1)
     order by name`,
    [names],
  );
}

describe("hot queries go by index", () => {
  it("a match: one probe of the number", async () => {
    expectByIndex(await planOf(db, MATCH_NUMBER.text, [["+18665000100", "+18665000101"], []]), [
      "promo_number_e164_key",
    ]);
  });

  it("whether a call has its record already: one probe, also by a plan kept from when there were none", async () => {
    await matching.transaction(async (tx) => {
      const ask = (keys: readonly string[]) =>
        tx.query<{ is_recorded: boolean }>(MATCH_NUMBER, [keys.map(() => "+18665000100"), keys]);
      const scans = async () => {
        await tx.query({ name: "", text: "select pg_stat_clear_snapshot()" });
        const [found] = await tx.query({
          name: "",
          text: `select pg_stat_get_xact_numscans('call_key'::regclass) as seq, pg_stat_get_xact_numscans('call_key_pkey'::regclass) as index`,
        });
        return found as { seq: number; index: number };
      };
      await tx.query({ name: "", text: "truncate call_key" });
      await tx.query({ name: "", text: "analyze call_key" });
      for (let n = 0; n < 12; n++) expect(await ask(["none"])).toMatchObject([{ is_recorded: false }]);
      const row = "select 'key ' || n, 'call_' || n, now() from generate_series(1, 20000) n";
      await tx.query({ name: "", text: `insert into call_key (ingress_key, call_id, received_at) ${row}` });
      const before = await scans();
      const recorded = (await ask(["key 1", "key 20000", "key 20001"])).map((found) => found.is_recorded);
      expect(recorded).toEqual([true, true, false]);
      const after = await scans();
      expect({ seq: after.seq - before.seq, index: after.index - before.index }).toEqual({ seq: 0, index: 3 });
    });
  });

  it("a match is planned once, for one call or for many, and stays so", async () => {
    const before = (await plansMade(matching, [MATCH_NUMBER.name]))[0]?.generic ?? 0;
    for (const count of BATCHES) {
      const numbers = Array.from({ length: count }, (_, n) => `+1866500${String(100 + n).padStart(4, "0")}`);
      await matching.query(MATCH_NUMBER, [numbers, []]);
    }
    const generic = before + BATCHES.length;
    expect(await plansMade(matching, [MATCH_NUMBER.name])).toEqual([{ name: MATCH_NUMBER.name, generic, custom: 0 }]);
  });

  it("what happens to calls is written by statements that are planned once, for one call or for many", async () => {
    const young = await freshDatabase();
    const presented = await makeWorld(young.db, Math.max(...BATCHES));
    for (const number of presented.numbers) await presentTo(young.db, presented, `vis_${number}`);
    const folding = openDatabase({ url: young.url, log: silentLog, connectionsMax: 1 });
    try {
      for (const count of BATCHES) {
        const refs = await Promise.all(presented.numbers.slice(0, count).map((number) => openTo(young.db, number)));
        await endCalls(folding, refs);
      }
      const written = ["call_lock_progress", "call_update_progress"];
      const judged = ["delay_model_newest", "judge_earlier_calls", "judge_visits", "match_candidates"];
      expect(await plansMade(folding, [...written, ...judged])).toEqual(
        [...written, ...judged].map((name) => ({ name, generic: BATCHES.length, custom: 0 })),
      );
    } finally {
      await folding.close();
    }
  });

  it("a match of a static number: its source by index as well", async () => {
    const nodes = await planOf(db, MATCH_NUMBER.text, [["+18555000100", "+18555000101"], []]);
    expectByIndex(nodes, ["promo_number_e164_key", "static_number_number_id_ownership_epoch_key"]);
  });

  it("a late match: the latest entry of the number's log", async () => {
    const values = [[world.account.id], [100], [1], [new Date().toISOString()], [world.pool.id]];
    const nodes = await planOf(db, LATEST_AT.text, values);
    expectByIndex(nodes, []);
    expect(nodes.some((n) => /pkey/.test(n["Index Name"] ?? ""))).toBe(true);
  });

  it("an explanation: the number's log alone", async () => {
    const at = new Date().toISOString();
    const two = [
      [world.account.id, world.account.id],
      [100, 101],
      [1, 1],
      [1_000_000, 1_000_000],
      [at, at],
    ];
    const values = [...two, [world.pool.id, world.pool.id], 200];
    const nodes = await planOf(db, CANDIDATES.text, values);
    expectByIndex(nodes, []);
    expect(nodes.some((n) => /pkey/.test(n["Index Name"] ?? ""))).toBe(true);
  });

  it("judging: the visitor's own way in the log, from the day they were first seen", async () => {
    const values = [[world.account.id], ["vis_100"], [100], ...(await shown(db, "prl_100")), 100];
    const nodes = await planOf(db, VISITS.text, values);
    expectByIndex(nodes, []);
    const used = nodes.flatMap((n) => n["Index Name"] ?? []);
    expect(used.some((name) => name.includes("visitor_id"))).toBe(true);
    // Days before the visitor was first seen are not looked into.
    const looked = nodes.filter((n) => /^presentation_/.test(n["Relation Name"] ?? "") && (n["Actual Loops"] ?? 0) > 0);
    expect(new Set(looked.map((n) => n["Relation Name"])).size).toBeLessThanOrEqual(2);
  });

  it.each([
    { when: "there were no statistics of the day yet", analyze: "", planned: 1_000 },
    { when: "statistics knew of the day's first presentation alone", analyze: "analyze presentation", planned: 500 },
  ])("judging in a session that planned it when $when: the visitor's own way", async ({ analyze, planned }) => {
    const young = await freshDatabase();
    await keepUnanalyzed(young.db, "presentation");
    const { account, pool } = await makeWorld(young.db, 1);
    const began = new Date(Date.now() - 60_000).toISOString();
    const present = ({ from, to }: { from: number; to: number }) =>
      rows(
        young.db,
        `insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id, promo_number, kind,
           locked_until, retained_until, touch, custom_data, context)
         select $1, i, 1, 1, $5::timestamptz + make_interval(secs => i / 1000.0), 'prl_' || i, 'prs_' || i, 'vis_' || i % 500, $2, '+18665000000',
           'presented', now(), now(), '{}', '{}', '{}' from generate_series($3::int, $4::int) i`,
        [account.id, pool.id, from, to, began],
      );
    await present({ from: 1, to: 1 });
    await rows(young.db, analyze);
    await present({ from: 2, to: planned });
    const asked = [[account.id], ["vis_300"], [300], ...(await shown(young.db, "prl_300"))];
    let last = planned;
    const grow = () => present({ from: last + 1, to: (last += SIZE) });
    const plans = [
      ...(await plansKeptWhile(young.db, [VISITS], { values: [...asked, 100], grow })),
      ...(await plansKeptWhile(young.db, [FIRST_VISITS], { values: asked, grow })),
    ];
    expect(plans.length).toBe(2);
    for (const nodes of plans) {
      const log = nodes.filter((n) => n["Relation Name"]?.startsWith("presentation_"));
      expect(log.reduce((sum, n) => sum + rowsRead(n), 0)).toBeLessThanOrEqual(4);
      expect(nodes.some((n) => /visitor_id/.test(n["Index Name"] ?? ""))).toBe(true);
    }
  });

  it("a pool's unused numbers: those presented longest ago alone, and each one's latest calls", async () => {
    await rows(
      db,
      `update promo_number set last_presented_at = '-infinity', locked_until = '-infinity', retained_until = '-infinity',
         state_since = now() - interval '30 days' where e164 like '+186650000%'`,
    );
    for (const query of [COUNT_UNUSED, PICK_UNUSED]) {
      const nodes = await planOf(db, query.text, [world.pool.id, 86_400, 1000]);
      expectByIndex(nodes, ["promo_number_lru"]);
      const calls = nodes.filter((n) => n["Relation Name"]?.startsWith("call_"));
      expect(calls.length).toBeGreaterThan(0);
      expect(calls.filter((n) => n["Node Type"] === "Seq Scan" && (n["Actual Rows"] ?? 0) > 0)).toEqual([]);
    }
  });

  it("an account's numbers: by its pools, and those in none by their own index", async () => {
    const [small] = await Promise.all(Array.from({ length: 40 }, () => makeWorld(db, 3)));
    await rows(db, "analyze promo_number");
    const values = ["", null, null, null, null, 100, false, small?.account.id];
    const nodes = await planOf(db, SELECT_PAGE_OF_ACCOUNT.text, values);
    expectByIndex(nodes, ["promo_number_lru", "promo_number_without_pool"]);
  });

  it("numbers of a country without area codes: its own alone, among those of all others", async () => {
    await rows(
      db,
      `insert into promo_number (e164, number_type, npa)
       select code || (200000000 + i), 'local', null from generate_series(1, 3000) i, unnest(array['+33', '+353', '+44', '+49']) code`,
      [],
    );
    await rows(db, "analyze promo_number");
    for (const { text } of [PICK_ABROAD, COUNT_ABROAD]) {
      expectByIndex(await planOf(db, text, ["+44", 20]), ["promo_number_abroad"]);
      const scans = (await planOf(db, text, ["+44", 20])).filter((n) => n["Relation Name"] === "promo_number");
      expect(scans.reduce((sum, n) => sum + rowsRead(n), 0)).toBe(20);
    }
  });

  it("a renewal of locks: the visitor's own numbers", async () => {
    const client = await db.connect();
    const plans = await nestedPlans(client, "select * from renew_locks($1, $2, $3)", [
      world.account.id,
      "vis_100",
      ["prs_100"],
    ]);
    await client.end();
    expectByIndex(plans.flat(), ["promo_number_holder"]);
  });

  it("what a visitor holds of a destination's pools: that visitor's numbers", async () => {
    const values = ["vis_100", [world.pool.id, "pool_of_a_campaign"]];
    expectByIndex(await planOf(db, SELECT_HELD_POOL.text, values), ["promo_number_holder"]);
  });

  it("an allocation: visitors, holders and the longest-unseen numbers, each by its index", async () => {
    const client = await db.connect();
    const plans = await nestedPlans(client, ALLOCATION, allocationOf(world, "a"));
    await client.end();
    expectByIndex(plans.flat(), ["visitor_pkey", "promo_number_holder", "promo_number_lru"]);
  });

  it("an allocation in a session that planned it while the tables were small, right after an import made them large", async () => {
    const young = await freshDatabase();
    const youngWorld = await makeWorld(young.db, 1);
    const client = await young.db.connect();
    await client.query("analyze");
    const early = allocationOf(youngWorld, "a");
    await client.query(ALLOCATION, [...early.slice(0, 2), early[3], ...early.slice(3)]);
    await fill(young.db, youngWorld);
    await addInventory(young.db, tollFreeNumbers(200));
    const plans = await nestedPlans(client, ALLOCATION, allocationOf(youngWorld, "b"));
    await client.end();
    expectByIndex(plans.flat(), ["visitor_pkey", "promo_number_holder", "promo_number_lru"]);
  });

  describe("judging: a caller's calls alone, among all the account's", () => {
    const hash = (i: number): string => `\\\\x${String(i).padStart(8, "0")}`;
    /** Of 5,000 callers in turn, each call a second before the last; as large as calls of some attempts are. */
    const addCalls = (database: Database, accountId: string, { from, to }: { from: number; to: number }) =>
      rows(
        database,
        `insert into call (id, account_id, received_at, ingress, ingress_call_id, promo_number, caller_hash, disposition, status, progress, attribution,
           judged_at, updated_at)
         select 'call_' || i, $1, now() - make_interval(secs => i), 'sip', 'x', '+18665000000', decode(lpad((i % 5000)::text, 8, '0'), 'hex'), 'routed',
           'completed', jsonb_build_object('room', repeat('x', 1000)), 'expired', now(), now() from generate_series($2::int, $3::int) i`,
        [accountId, from, to],
      );

    function expectOwnCallsAlone(nodes: readonly PlanNode[], readMax: number): void {
      const calls = nodes.filter((n) => n["Relation Name"]?.startsWith("call_"));
      expect(calls.filter((n) => n["Node Type"] === "Seq Scan" && (n["Actual Rows"] ?? 0) > 0)).toEqual([]);
      expect(calls.reduce((sum, n) => sum + rowsRead(n), 0)).toBeLessThanOrEqual(readMax);
      expect(nodes.some((n) => /caller_hash/.test(n["Index Name"] ?? ""))).toBe(true);
    }
    const askedBy = (accountId: string) => [[accountId], [hash(100)], [new Date().toISOString()], ["call_z"], 1000];

    it("by statistics of all of them", async () => {
      await addCalls(db, world.account.id, { from: 1, to: SIZE });
      await rows(db, "analyze call");
      for (const { text } of [EARLIER_CALLS, LATER_CALLS])
        expectOwnCallsAlone(await planOf(db, text, askedBy(world.account.id)), 10);
    });

    it.each([
      { when: "there were no statistics of the month yet", analyze: "", planned: SIZE },
      { when: "statistics knew of the month's first call alone", analyze: "analyze call", planned: 500 },
    ])("in a session that planned it when $when", async ({ analyze, planned }) => {
      const young = await freshDatabase();
      await keepUnanalyzed(young.db, "call");
      const { account } = await makeWorld(young.db, 1);
      await addCalls(young.db, account.id, { from: 1, to: 1 });
      await rows(young.db, analyze);
      await addCalls(young.db, account.id, { from: 2, to: planned });
      const queries = [EARLIER_CALLS, LATER_CALLS];
      const plans = await plansKeptWhile(young.db, queries, {
        values: askedBy(account.id),
        grow: () => addCalls(young.db, account.id, { from: planned + 1, to: planned + SIZE }),
      });
      expect(plans.length).toBe(queries.length);
      // Twice the calls, twice as many of each caller.
      for (const nodes of plans) expectOwnCallsAlone(nodes, 20);
    });
  });
});

/** Plans of the statements inside a function, as auto_explain reports them. */
async function nestedPlans(client: pg.Client, text: string, values: unknown[]): Promise<PlanNode[][]> {
  const plans: PlanNode[][] = [];
  client.on("notice", ({ message }) => {
    const json = /plan:\s*(\{[\s\S]*\})\s*$/.exec(message ?? "")?.[1];
    if (json !== undefined) plans.push([...nodesOf((JSON.parse(json) as { Plan: PlanNode }).Plan)]);
  });
  await client.query("load 'auto_explain'");
  await client.query(`set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off; set auto_explain.log_format = json; set client_min_messages = log`);
  await client.query(text, values);
  expect(plans.length).toBeGreaterThan(0);
  return plans;
}
