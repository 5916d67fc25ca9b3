import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readUsage, type Usage } from "../../src/attribution/reports/usage.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { addNumbers, deletePool, removeFromPool } from "../../src/pool/pool-changes.js";
import { freshDatabase, rows } from "../support/database.js";
import { writeCalls } from "../support/pool-log.js";
import { allocationFor, ids, makeWorld, tollFreeNumbers } from "../support/world.js";

const { db } = await freshDatabase();

/** One entry of a number's history, in seconds of the hour that is looked at. */
interface Entry {
  readonly atS: number;
  readonly state: "available" | "assigned" | "draining" | "quarantined" | "retired";
  readonly accountId: string | null;
  readonly poolId: string | null;
}

const HOUR_S = 3_600;
const FROM = Date.parse("2024-03-05T07:00:00Z");

async function writeHistories(histories: readonly (readonly Entry[])[]): Promise<void> {
  const numbers = tollFreeNumbers(histories.length);
  await rows(
    db,
    "insert into promo_number (e164, number_type, npa) select e164, 'toll_free', '888' from unnest($1::text[]) e164",
    [numbers],
  );
  for (const [i, history] of histories.entries()) {
    await rows(
      db,
      `insert into number_event (number_id, at, state, account_id, pool_id, ownership_epoch, reason, actor)
       select n.id, $2::timestamptz + make_interval(secs => h.at), h.state, h.account, h.pool, 1, 'test', 'test'
       from promo_number n, unnest($3::int[], $4::text[], $5::text[], $6::text[]) with ordinality as h (at, state, account, pool, place)
       where n.e164 = $1 order by h.place`,
      [
        numbers[i],
        new Date(FROM).toISOString(),
        history.map((entry) => entry.atS),
        history.map((entry) => entry.state),
        history.map((entry) => entry.accountId),
        history.map((entry) => entry.poolId),
      ],
    );
  }
}

/** Second by second: who holds what. A move that bears an earlier time than the one before it comes when that one came. */
function bruteForce(histories: readonly (readonly Entry[])[], fromS: number, toS: number) {
  const seconds = new Map<string, number>();
  const peaks = new Map<string, number>();
  for (let s = fromS; s < toS; s++) {
    const held = new Map<string, number>();
    for (const history of histories) {
      const upTo = history.findIndex((entry) => entry.atS > s);
      const entry = (upTo === -1 ? history : history.slice(0, upTo)).at(-1);
      if (entry?.accountId === null || entry === undefined) continue;
      for (const key of [`pool ${entry.accountId} ${entry.poolId}`, `account ${entry.accountId} null`]) {
        held.set(key, (held.get(key) ?? 0) + 1);
      }
    }
    for (const [key, count] of held) {
      seconds.set(key, (seconds.get(key) ?? 0) + count);
      peaks.set(key, Math.max(peaks.get(key) ?? 0, count));
    }
  }
  return { seconds: sorted(seconds), peaks: sorted(peaks) };
}

function sorted(map: ReadonlyMap<string, number>): [string, number][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function shownOf(report: { byPool: readonly Usage[]; byAccount: readonly Usage[] }, accounts: readonly string[]) {
  const seconds = new Map<string, number>();
  const peaks = new Map<string, number>();
  for (const [level, lines] of [
    ["pool", report.byPool],
    ["account", report.byAccount],
  ] as const) {
    for (const line of lines.filter(({ accountId }) => accounts.includes(accountId))) {
      const key = `${level} ${line.accountId} ${line.poolId}`;
      seconds.set(key, line.numberSeconds);
      peaks.set(key, line.peakNumbers);
    }
  }
  return { seconds: sorted(seconds), peaks: sorted(peaks) };
}

describe("number-days and peaks", () => {
  it("are what counting second by second gives, for any history", async () => {
    let run = 0;
    const step = fc.record({
      waitS: fc.oneof(fc.nat(900), fc.constant(0), fc.integer({ min: -3, max: 3 })),
      state: fc.constantFrom("available", "assigned", "assigned", "draining", "quarantined", "retired"),
      account: fc.nat(1),
      pool: fc.option(fc.nat(2), { nil: null }),
    });
    const history = fc.tuple(fc.integer({ min: -1_000, max: HOUR_S }), fc.array(step, { minLength: 1, maxLength: 8 }));
    const input = fc.tuple(fc.array(history, { minLength: 1, maxLength: 6 }), fc.nat(HOUR_S), fc.nat(HOUR_S));
    await fc.assert(
      fc.asyncProperty(input, async ([drawn, one, other]) => {
        const accounts = [0, 1].map((number) => `acc_run${run}_${number}`);
        run++;
        const histories = drawn.map(([startS, steps]) => {
          let atS = startS;
          let latestS = Number.NEGATIVE_INFINITY;
          return steps.map(({ waitS, state, account, pool }) => {
            atS += waitS;
            latestS = Math.max(latestS, atS);
            const isHeld = state === "assigned" || state === "draining";
            const poolId = isHeld && pool !== null ? `pool_${pool}` : null;
            const accountId = isHeld ? (accounts[account] ?? null) : null;
            return { entry: { atS, state, accountId, poolId } satisfies Entry, latestS };
          });
        });
        await writeHistories(histories.map((steps) => steps.map(({ entry }) => entry)));
        const inOrder = histories.map((steps) => steps.map(({ entry, latestS }) => ({ ...entry, atS: latestS })));
        const [fromS, toS] = [Math.min(one, other), Math.max(one, other)];
        const window = { from: FROM + fromS * 1_000, to: FROM + toS * 1_000 };
        const expected = bruteForce(inOrder, fromS, toS);
        expect(shownOf(await readUsage(db, { accountId: null, ...window }), accounts)).toEqual(expected);
        for (const accountId of accounts) {
          const own = {
            seconds: expected.seconds.filter(([key]) => key.includes(accountId)),
            peaks: expected.peaks.filter(([key]) => key.includes(accountId)),
          };
          expect(shownOf(await readUsage(db, { accountId, ...window }), accounts)).toEqual(own);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("follow real moves: filled, drained, back into service in another pool, deleted", async () => {
    const world = await makeWorld(db, 3, { overflow: "overflow_number" });
    const deps = { db, ids, schedule: world.schedule };
    const [first = ""] = world.numbers;
    await presentBatch(db, [allocationFor(world)]);
    const shown = { poolId: world.pool.id, e164: first, skipDraining: false, reason: "test", actor: "test" };
    expect((await removeFromPool(deps, shown)).state).toBe("draining");
    await addNumbers(deps, { poolId: world.pool.id, numbers: [first], actor: "test" });
    await deletePool(deps, { poolId: world.pool.id, actor: "test" });
    const [{ from, to }] = (await rows<{ from: number; to: number }>(
      db,
      "select now() - interval '1 hour' as from, now() + interval '1 hour' as to",
    )) as [{ from: number; to: number }];
    const report = await readUsage(db, { accountId: world.account.id, from, to });
    // Four numbers with the overflow number; those never presented went to quarantine when the pool was deleted, the two others drain.
    expect(report.byPool).toMatchObject([{ poolId: world.pool.id, peakNumbers: 4, presentations: 1, calls: 0 }]);
    const [{ seconds }] = (await rows<{ seconds: number }>(
      db,
      `select sum(extract(epoch from coalesce(next.at, $2) - e.at))::float8 as seconds from number_event e
         left join lateral (select x.at from number_event x where x.number_id = e.number_id and x.id > e.id order by x.id limit 1) next on true
       where e.account_id = $1`,
      [world.account.id, new Date(report.to).toISOString()],
    )) as [{ seconds: number }];
    expect(report.byPool[0]?.numberSeconds).toBeCloseTo(seconds, 4);
  });
});

describe("presentations, calls and minutes", () => {
  it("count what was presented and routed within the time, and minutes exactly and begun", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 60 });
    const visitorId = ids.next("vis");
    const at = Date.parse("2024-02-10T12:00:00Z");
    const present = (ms: number, visitor?: string) => presentBatch(db, [allocationFor(world, visitor)], ms);
    await present(at - 1);
    await present(at, visitorId);
    await present(at + 10_000, visitorId);
    await present(at + 3 * 86_400_000 - 1);
    await present(at + 3 * 86_400_000);
    const [number = ""] = world.numbers;
    await writeCalls(db, world, [
      { number, receivedAgoS: 0, delayS: 10, talkMs: 61_000 },
      { number, receivedAgoS: 0, delayS: 10, talkMs: 60_000 },
      { number, receivedAgoS: 0, delayS: 10 },
    ]);
    await rows(db, "update call set received_at = $2 where account_id = $1", [
      world.account.id,
      new Date(at + 86_400_000).toISOString(),
    ]);
    const report = await readUsage(db, { accountId: world.account.id, from: at, to: at + 3 * 86_400_000 });
    const counts = { presentations: 2, calls: 3, talkMs: 121_000, minutesStarted: 3 };
    expect(report.byPool).toMatchObject([{ poolId: world.pool.id, ...counts }]);
    expect(report.byAccount).toMatchObject([{ poolId: null, ...counts }]);
  });

  it("are nothing in time that has not come", async () => {
    const far = Date.parse("2100-01-01T00:00:00Z");
    expect(await readUsage(db, { accountId: null, from: far, to: far + 1_000 })).toEqual({
      byPool: [],
      byAccount: [],
      to: far,
    });
  });
});
