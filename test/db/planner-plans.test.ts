/** Sizing and one account's usage read what is theirs by index, however long the logs of others are. */
import { beforeAll, describe, expect, it } from "vitest";
import { ONE_ACCOUNT } from "../../src/attribution/reports/usage.store.js";
import { READ_ARRIVALS, READ_DELAYS, READ_VISITS } from "../../src/pool/traffic.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { type PlanNode, planOf, rowsRead } from "../support/plans.js";
import { writeCalls, writeEvenLog } from "../support/pool-log.js";
import { makeWorld } from "../support/world.js";

const { db } = await freshDatabase();
const small = await makeWorld(db, 10);
const large = await makeWorld(db, 2_000);
const WEEK_S = 604_800;
/** Of the others' 25,000: a day's partition that has just begun may be read from end to end, and is by then not a tenth of them. */
const ROWS_FEW = 2_000;

/** An inventory and a history of many others. */
async function writeOthers(): Promise<void> {
  await rows(
    db,
    `with added as (
       insert into promo_number (e164, number_type, npa) select '+1866' || (5000000 + i), 'toll_free', '866' from generate_series(1, 20000) i
         returning id)
     insert into number_event (number_id, at, state, account_id, pool_id, ownership_epoch, reason, actor)
       select id, now() - interval '1 day', 'assigned', 'acc_' || id % 200, 'pool_' || id % 200, 1, 'test', 'test' from added`,
  );
}

beforeAll(async () => {
  await writeOthers();
  await writeEvenLog(db, small, { everyS: 3_600, visits: 100, lockS: 1_800 });
  await writeEvenLog(db, large, { everyS: 15, visits: 20_000, lockS: 1_800 });
  for (const { world, count } of [
    { world: small, count: 20 },
    { world: large, count: 5_000 },
  ]) {
    const call = (i: number) => ({
      number: world.numbers[i % world.numbers.length] ?? "",
      receivedAgoS: i * 20,
      delayS: 60,
    });
    await writeCalls(
      db,
      world,
      Array.from({ length: count }, (_, i) => call(i)),
    );
  }
  const client = await db.connect();
  await client.query("vacuum (analyze)");
  await client.end();
});

/** What of a plan reads a table or an index. */
async function scansOf(text: string, values: readonly unknown[]): Promise<PlanNode[]> {
  const nodes = await planOf(db, text, values);
  return nodes.filter((node) => node["Relation Name"] !== undefined || node["Index Name"] !== undefined);
}

function expectFewRows(scans: readonly PlanNode[], index: RegExp): void {
  expect(scans.some((node) => index.test(node["Index Name"] ?? ""))).toBe(true);
  const greedy = scans.filter((node) => rowsRead(node) > ROWS_FEW);
  expect(greedy.map((node) => [node["Node Type"], node["Relation Name"], rowsRead(node)])).toEqual([]);
}

describe("a small pool beside a large one", () => {
  const window = [small.account.id, small.pool.id, WEEK_S] as const;

  it("is measured through its own numbers", async () => {
    const scans = await scansOf(READ_VISITS.text, [...window, 200_000, null]);
    expectFewRows(scans, /^number_event_pool$/);
    expectFewRows(scans, /^presentation_.*pkey$/);
  });

  it("has its arrivals read through its own numbers", async () => {
    expectFewRows(await scansOf(READ_ARRIVALS.text, window), /^presentation_.*pkey$/);
  });

  it("has its call delays read through its own numbers", async () => {
    expectFewRows(await scansOf(READ_DELAYS.text, [...window, 5_000, null]), /^call_.*promo_number/);
  });
});

describe("the usage of a small account beside a large one", () => {
  const [from, to] = [-7, 0].map((days) => new Date(Date.now() + days * 86_400_000).toISOString()) as [string, string];

  it("sums the history of the numbers it ever had", async () => {
    expectFewRows(await scansOf(ONE_ACCOUNT.held.text, [from, to, small.account.id]), /^number_event_account$/);
  });

  it("counts its presentations and calls by its own index", async () => {
    expectFewRows(await scansOf(ONE_ACCOUNT.presented.text, [from, to, small.account.id]), /^presentation_/);
    expectFewRows(await scansOf(ONE_ACCOUNT.called.text, [from, to, small.account.id]), /^call_/);
  });
});
