import { describe, expect, it } from "vitest";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { addNumbers, deletePool, removeFromPool } from "../../src/pool/pool-changes.js";
import {
  type AllocationRequest,
  type BatchOutcome,
  presentBatch,
  renewLocks,
} from "../../src/pool/presentations.store.js";
import { findBrokenSequences, findDoubleLeases, findSplitVisitors } from "../support/audit.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { allocationFor, ids, makeWorld, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const T0 = Date.parse("2026-11-23T12:00:00Z");
const SECOND = 1_000;
const HOUR = 3_600_000;

async function present(world: World, now: number, request: Partial<AllocationRequest> = {}): Promise<BatchOutcome> {
  const [outcome] = await presentBatch(db, [{ ...allocationFor(world), ...request }], now);
  return outcome as BatchOutcome;
}

function given(outcome: BatchOutcome | undefined): string | null {
  return outcome?.kind === "presented" || outcome?.kind === "renewed" ? outcome.promoNumber : null;
}

async function logOf(world: World): Promise<Record<string, unknown>[]> {
  return rows(
    db,
    `select promo_number, seq, kind, presentation_id, visitor_id, touch, custom_data, context, presented_at, locked_until, retained_until
     from presentation where pool_id = $1 order by presented_at, seq`,
    [world.pool.id],
  );
}

const movesOf = (world: World) => ({ db, ids, schedule: world.schedule });

describe("presentBatch", () => {
  it("gives the number presented longest ago", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 10 });
    const seen: (string | null)[] = [];
    for (let i = 0; i < 6; i++) seen.push(given(await present(world, T0 + i * 11 * SECOND)));
    expect(seen).toEqual([...world.numbers, ...world.numbers]);
  });

  it("counts a renewal as a presentation: the renewed number goes to the end of the line", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 10 });
    const [n1, n2] = world.numbers;
    const visitorId = ids.next("vis");
    expect(given(await present(world, T0, { visitorId }))).toBe(n1);
    expect(given(await present(world, T0 + SECOND))).toBe(n2);
    expect(given(await present(world, T0 + 2 * SECOND, { visitorId }))).toBe(n1);
    expect(given(await present(world, T0 + 20 * SECOND))).toBe(n2);
  });

  it("gives everybody in a batch a number of their own, in the order they came", async () => {
    const world = await makeWorld(db, 5);
    const batch = Array.from({ length: 5 }, () => allocationFor(world));
    const outcomes = await presentBatch(db, batch, T0);
    expect(outcomes.map(given)).toEqual(world.numbers);
  });

  it("serves several pools in one batch, each from its own numbers", async () => {
    const worlds = [await makeWorld(db, 2), await makeWorld(db, 2)];
    const batch = [0, 1, 0, 1].map((i) => allocationFor(worlds[i] as World));
    const outcomes = await presentBatch(db, batch, T0);
    const [first, second] = worlds as [World, World];
    expect(outcomes.map(given)).toEqual([first.numbers[0], second.numbers[0], first.numbers[1], second.numbers[1]]);
  });

  it("gives nobody a number of another account's pool, and stores no visitor for it", async () => {
    const [mine, others] = [await makeWorld(db, 2), await makeWorld(db, 2)];
    const asked = { ...allocationFor(others), accountId: mine.account.id };
    const unknown = { ...allocationFor(others), accountId: "acc_missing" };
    const outcomes = await presentBatch(db, [asked, allocationFor(mine), unknown], T0);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["gone", "presented", "gone"]);
    expect(await logOf(others)).toEqual([]);
    expect(await rows(db, `select 1 from visitor where id in ('${asked.visitorId}', '${unknown.visitorId}')`)).toEqual(
      [],
    );
  });

  it("logs what it gives: seq 1, touch, custom data, context, lock and retention by the pool's settings", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 60, retentionS: 7_200 });
    const request = {
      ...allocationFor(world),
      touch: { utm_source: "google" },
      customData: { plan: "gold", tags: ["a", { b: null }] },
      context: { url: "https://example.test/\u2028?q=\"'\\{}," },
    };
    await presentBatch(db, [request], T0);
    expect(await logOf(world)).toEqual([
      {
        promo_number: world.numbers[0],
        seq: 1,
        kind: "presented",
        presentation_id: request.presentationId,
        visitor_id: request.visitorId,
        touch: request.touch,
        custom_data: request.customData,
        context: request.context,
        presented_at: T0,
        locked_until: T0 + 60 * SECOND,
        retained_until: T0 + 2 * HOUR,
      },
    ]);
  });
});

describe("a returning visitor", () => {
  it("keeps number and presentation; the log gets a renewal; lock and retention start again", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 60, retentionS: 7_200 });
    const visitorId = ids.next("vis");
    const first = await present(world, T0, { visitorId });
    const again = await present(world, T0 + HOUR, { visitorId });
    expect(again).toEqual({ ...first, kind: "renewed", lockedUntil: T0 + HOUR + 60 * SECOND });
    expect(await logOf(world)).toMatchObject([
      { seq: 1, kind: "presented" },
      { seq: 2, kind: "renewal", presented_at: T0 + HOUR, retained_until: T0 + 3 * HOUR },
    ]);
  });

  it("keeps the first touch when the new page has none, and takes a new one over; custom data adds up", async () => {
    const world = await makeWorld(db, 1);
    const visitorId = ids.next("vis");
    await present(world, T0, { visitorId, touch: { gclid: "1" }, customData: { a: 1, b: 1 } });
    await present(world, T0 + 1, { visitorId, customData: { b: 2 } });
    await present(world, T0 + 2, { visitorId, touch: { utm_source: "mail" } });
    expect((await logOf(world)).map(({ touch, custom_data }) => ({ touch, custom_data }))).toEqual([
      { touch: { gclid: "1" }, custom_data: { a: 1, b: 1 } },
      { touch: { gclid: "1" }, custom_data: { a: 1, b: 2 } },
      { touch: { utm_source: "mail" }, custom_data: { a: 1, b: 2 } },
    ]);
  });

  it("is presented anew after the retention, without the old touch", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 60, retentionS: 3_600 });
    const visitorId = ids.next("vis");
    const first = await present(world, T0, { visitorId, touch: { gclid: "1" }, customData: { a: 1 } });
    const later = await present(world, T0 + HOUR + 1, { visitorId });
    expect(later.kind).toBe("presented");
    expect(given(later)).toBe(world.numbers[1]);
    expect(given(first)).toBe(world.numbers[0]);
    expect(await logOf(world)).toMatchObject([
      { kind: "presented" },
      { kind: "presented", touch: {}, custom_data: {} },
    ]);
  });

  it("is renewed at the last moment of the retention", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 60, retentionS: 3_600 });
    const visitorId = ids.next("vis");
    await present(world, T0, { visitorId });
    expect((await present(world, T0 + HOUR, { visitorId })).kind).toBe("renewed");
  });

  it("whose lock outlived the retention gets the same number as a new presentation", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 3_600, retentionS: 3_600 });
    const visitorId = ids.next("vis");
    const first = await present(world, T0, { visitorId, touch: { gclid: "1" } });
    const presentationId = first.kind === "presented" ? first.presentationId : "";
    await renewLocks(db, { accountId: world.account.id, visitorId, presentationIds: [presentationId] }, T0 + HOUR / 2);
    const later = await present(world, T0 + HOUR + SECOND, { visitorId });
    expect(later.kind).toBe("presented");
    expect(given(later)).toBe(given(first));
    expect(await logOf(world)).toMatchObject([
      { seq: 1, kind: "presented" },
      { seq: 2, kind: "presented", touch: {} },
    ]);
  });

  it("gets another number after somebody else was given theirs", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 10 });
    const visitorId = ids.next("vis");
    await present(world, T0, { visitorId });
    await present(world, T0 + 11 * SECOND);
    expect((await present(world, T0 + 12 * SECOND, { visitorId })).kind).toBe("exhausted");
    expect((await present(world, T0 + 30 * SECOND, { visitorId })).kind).toBe("presented");
  });
});

describe("an exhausted pool", () => {
  it("gives its overflow number to everybody else, and logs nothing for it", async () => {
    const world = await makeWorld(db, 1, { overflow: "overflow_number" });
    const outcomes = await presentBatch(
      db,
      [1, 2, 3].map(() => allocationFor(world)),
      T0,
    );
    expect(outcomes.map((o) => o.kind)).toEqual(["presented", "exhausted", "exhausted"]);
    expect(outcomes[1]).toMatchObject({ overflowNumber: world.pool.overflowNumber });
    expect(outcomes[2]).toMatchObject({ overflowNumber: world.pool.overflowNumber });
    expect(await logOf(world)).toHaveLength(1);
  });

  it("keeps the original where the pool says so", async () => {
    const world = await makeWorld(db, 1);
    const outcomes = await presentBatch(
      db,
      [1, 2].map(() => allocationFor(world)),
      T0,
    );
    expect(outcomes[1]).toMatchObject({ kind: "exhausted", overflowNumber: null });
  });

  it("tells each of half a batch that was left over, as many as were served", async () => {
    const world = await makeWorld(db, 2, { overflow: "overflow_number" });
    const outcomes = await presentBatch(
      db,
      [1, 2, 3, 4].map(() => allocationFor(world)),
      T0,
    );
    expect(outcomes.map((o) => o.kind)).toEqual(["presented", "presented", "exhausted", "exhausted"]);
  });

  it("takes the oldest number early where the pool says reuse_oldest", async () => {
    const world = await makeWorld(db, 2, { overflow: "reuse_oldest" });
    const [n1, n2] = world.numbers;
    const seen: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const outcome = await present(world, T0 + i * SECOND);
      seen.push([outcome.kind, given(outcome)]);
    }
    expect(seen).toEqual([n1, n2, n1, n2].map((number) => ["presented", number]));
  });

  it("with reuse_oldest and more visitors than numbers: the rest asks again rather than robbing their own batch", async () => {
    const world = await makeWorld(db, 2, { overflow: "reuse_oldest" });
    await presentBatch(
      db,
      [1, 2].map(() => allocationFor(world)),
      T0,
    );
    const batch = [1, 2, 3, 4, 5].map(() => allocationFor(world));
    const first = await presentBatch(db, batch, T0 + SECOND);
    expect(first.map((o) => o.kind)).toEqual(["presented", "presented", "busy", "busy", "busy"]);
    const second = await presentBatch(db, batch.slice(2), T0 + 2 * SECOND);
    expect(second.map((o) => o.kind)).toEqual(["presented", "presented", "busy"]);
  });

  it("with reuse_oldest and no number at all: exhausted, not busy for ever", async () => {
    const world = await makeWorld(db, 1, { overflow: "reuse_oldest" });
    await quarantineNumber(movesOf(world), {
      e164: world.numbers[0] as string,
      accountId: null,
      reason: "test",
      actor: "test",
    });
    expect(await present(world, Date.now())).toMatchObject({ kind: "exhausted", overflowNumber: null });
  });
});

describe("visitor ids", () => {
  it("another account's id is replaced by the fresh one, and stays the other account's", async () => {
    const [mine, theirs] = [await makeWorld(db, 2), await makeWorld(db, 2)];
    const visitorId = ids.next("vis");
    await present(theirs, T0, { visitorId });
    const request = { ...allocationFor(mine), visitorId };
    const [outcome] = await presentBatch(db, [request], T0);
    expect(outcome).toMatchObject({ kind: "presented", visitorId: request.freshVisitorId });
    expect((await present(theirs, T0 + 1, { visitorId })).kind).toBe("renewed");
    expect((await present(mine, T0 + 2, { visitorId: request.freshVisitorId })).kind).toBe("renewed");
  });

  it("one new id used by two accounts in one batch is adopted by one of them", async () => {
    const [a, b] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const visitorId = ids.next("vis");
    const batch = [
      { ...allocationFor(a), visitorId },
      { ...allocationFor(b), visitorId },
    ];
    const outcomes = await presentBatch(db, batch, T0);
    const visitors = outcomes.map((o) => (o.kind === "presented" ? o.visitorId : null));
    expect(visitors.filter((v) => v === visitorId)).toHaveLength(1);
    expect(new Set(visitors).size).toBe(2);
  });

  it("one that another account takes in this very moment gives way to the fresh one", async () => {
    const [mine, theirs] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const request = allocationFor(mine);
    const { answer } = await db.transaction(async (tx) => {
      await presentBatch(tx, [{ ...allocationFor(theirs), visitorId: request.visitorId }], T0);
      // Sees no such visitor yet, and waits for the row that is being written.
      const answer = presentBatch(db, [request], T0);
      await until("the second batch waits", async () => {
        const waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        return (await rows(db, waits)).length > 0;
      });
      return { answer };
    });
    expect(await answer).toMatchObject([{ kind: "presented", visitorId: request.freshVisitorId }]);
    expect(await rows(db, "select account_id from visitor where id = $1", [request.visitorId])).toEqual([
      { account_id: theirs.account.id },
    ]);
  });

  it("a client-made id is adopted for the account", async () => {
    const world = await makeWorld(db, 1);
    const visitorId = `vis_${"a1B2".repeat(5)}${Math.random().toString(36).slice(2, 8)}`;
    expect(await present(world, T0, { visitorId })).toMatchObject({ kind: "presented", visitorId });
    expect(await rows(db, "select account_id from visitor where id = $1", [visitorId])).toEqual([
      { account_id: world.account.id },
    ]);
  });
});

describe("numbers that are never presented", () => {
  it("those of a deleted pool: gone", async () => {
    const world = await makeWorld(db, 1);
    await deletePool(movesOf(world), { poolId: world.pool.id, actor: "test" });
    expect((await present(world, Date.now())).kind).toBe("gone");
  });

  it("draining and quarantined ones, not even to the visitor who had them", async () => {
    const world = await makeWorld(db, 2);
    const visitorId = ids.next("vis");
    const now = Date.now();
    expect(given(await present(world, now - 5_000, { visitorId }))).toBe(world.numbers[0]);
    const remove = { poolId: world.pool.id, skipDraining: false, reason: "test", actor: "test" };
    expect((await removeFromPool(movesOf(world), { ...remove, e164: world.numbers[0] as string })).state).toBe(
      "draining",
    );
    expect(given(await present(world, now, { visitorId }))).toBe(world.numbers[1]);
    await removeFromPool(movesOf(world), { ...remove, e164: world.numbers[1] as string, skipDraining: true });
    expect((await present(world, now + 1, { visitorId })).kind).toBe("exhausted");
  });

  it("a draining number added again keeps its lock, and its visitor's calls, but is nobody's to renew", async () => {
    const world = await makeWorld(db, 2);
    const visitorId = ids.next("vis");
    const now = Date.now();
    const e164 = world.numbers[0] as string;
    await present(world, now - 5_000, { visitorId });
    await removeFromPool(movesOf(world), {
      poolId: world.pool.id,
      e164,
      skipDraining: false,
      reason: "r",
      actor: "test",
    });
    expect(given(await present(world, now, { visitorId }))).toBe(world.numbers[1]);
    await addNumbers(movesOf(world), { poolId: world.pool.id, numbers: [e164], actor: "test" });
    expect((await present(world, now + 1)).kind).toBe("exhausted");
    const [row] = await rows(db, "select state, visitor_id, held_by from promo_number where e164 = $1", [e164]);
    expect(row).toEqual({ state: "assigned", visitor_id: visitorId, held_by: null });
    expect(given(await present(world, now + 1_900_000))).toBe(e164);
  });

  it("another account's draining number cannot be taken by naming it", async () => {
    const [mine, theirs] = [await makeWorld(db, 1, { maxSize: 5 }), await makeWorld(db, 1)];
    const e164 = theirs.numbers[0] as string;
    await present(theirs, Date.now());
    const removal = { poolId: theirs.pool.id, e164, skipDraining: false, reason: "r", actor: "test" };
    expect((await removeFromPool(movesOf(theirs), removal)).state).toBe("draining");
    await expect(
      addNumbers(movesOf(mine), { poolId: mine.pool.id, numbers: [e164], actor: "test" }),
    ).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("renewLocks", () => {
  it("extends only the lock: no log row, retention and place unchanged; never shortens it", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 60 });
    const visitorId = ids.next("vis");
    const first = await present(world, T0, { visitorId });
    const presentationId = first.kind === "presented" ? first.presentationId : "";
    const input = { accountId: world.account.id, visitorId, presentationIds: [presentationId] };
    const before = await rows(
      db,
      "select retained_until, last_presented_at, presentation_seq from promo_number where visitor_id = $1",
      [visitorId],
    );
    expect(await renewLocks(db, input, T0 + 30 * SECOND)).toEqual([
      { presentationId, outcome: "renewed", lockedUntil: T0 + 90 * SECOND },
    ]);
    expect(await renewLocks(db, input, T0 + 10 * SECOND)).toMatchObject([{ lockedUntil: T0 + 90 * SECOND }]);
    expect(
      await rows(
        db,
        "select retained_until, last_presented_at, presentation_seq from promo_number where visitor_id = $1",
        [visitorId],
      ),
    ).toEqual(before);
    expect(await logOf(world)).toHaveLength(1);
  });

  it("answers each asked presentation in order; lost: re-presented, out of the pool, out of retention, unknown, another visitor's", async () => {
    const world = await makeWorld(db, 2, { sessionLifetimeS: 10, retentionS: 3_600 });
    const visitorId = ids.next("vis");
    const mine = await present(world, T0, { visitorId });
    const other = await present(world, T0 + 1);
    const idOf = (o: BatchOutcome): string => (o.kind === "presented" ? o.presentationId : "");
    const asked = [idOf(other), "prs_unknown", idOf(mine)];
    const input = { accountId: world.account.id, visitorId, presentationIds: asked };
    expect((await renewLocks(db, input, T0 + 2)).map((r) => r.outcome)).toEqual(["lost", "lost", "renewed"]);
    expect((await renewLocks(db, { ...input, accountId: "acc_other" }, T0 + 3)).map((r) => r.outcome)).toEqual([
      "lost",
      "lost",
      "lost",
    ]);
    expect((await renewLocks(db, input, T0 + HOUR + SECOND)).map((r) => r.outcome)).toEqual(["lost", "lost", "lost"]);
    await present(world, T0 + 20 * SECOND);
    expect((await renewLocks(db, input, T0 + 21 * SECOND)).map((r) => r.outcome)).toEqual(["lost", "lost", "lost"]);
  });
});

describe("many at once", () => {
  it("one visitor on many connections at the same moment gets one number", async () => {
    const world = await makeWorld(db, 20);
    const visitorId = ids.next("vis");
    const ask = async (): Promise<string | null> => {
      for (;;) {
        const outcome = (await presentBatch(db, [{ ...allocationFor(world), visitorId }]))[0];
        if (outcome?.kind !== "busy") return given(outcome);
      }
    };
    const numbers = await Promise.all(Array.from({ length: 16 }, ask));
    expect(new Set(numbers).size).toBe(1);
    expect(
      await rows(db, "select kind, count(*) from presentation where pool_id = $1 group by 1 order by 1", [
        world.pool.id,
      ]),
    ).toEqual([
      { kind: "presented", count: 1 },
      { kind: "renewal", count: 15 },
    ]);
  });

  it("one visitor on two processes at the same moment gets one number", async () => {
    const world = await makeWorld(db, 20);
    const visitorId = ids.next("vis");
    const answers = await Promise.all([1, 2].map(() => presentInOtherProcess({ url, world, visitorId, times: 20 })));
    expect(new Set(answers.flat()).size).toBe(1);
    expect(answers.flat()).toHaveLength(40);
  });

  it("leaves no double, no split visitor and no gap in any number's sequence", async () => {
    expect(await findSplitVisitors(db)).toEqual([]);
    expect(await findBrokenSequences(db)).toEqual([]);
    expect(await findDoubleLeases(db)).toEqual([]);
  });
});

/** A process of its own with plain node-postgres, so that not even a module is shared. */
async function presentInOtherProcess(input: {
  url: string;
  world: World;
  visitorId: string;
  times: number;
}): Promise<string[]> {
  const { execFile } = await import("node:child_process");
  const script = `
    import pg from "pg";
    const { url, request, times } = JSON.parse(process.argv[1]);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const seen = [];
    while (seen.length < times) {
      const mark = Math.random().toString(36).slice(2) + process.pid;
      const { rows } = await client.query("select e164 from present_batch($1,$2,$3,$4,$5,$6,$7,$8,$9)", [
        [request.accountId], [request.poolId], [request.visitorId], ["vis_f" + mark], ["prs_" + mark], ["prl_" + mark], [{}], [{}], [{}]]);
      if (rows.length > 0) seen.push(rows[0].e164);
    }
    await client.end();
    process.stdout.write(JSON.stringify(seen));`;
  const request = { ...allocationFor(input.world), visitorId: input.visitorId };
  const argument = JSON.stringify({ url: input.url, request, times: input.times });
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--input-type=module", "-e", script, argument], (error, stdout, stderr) => {
      if (error) reject(new Error(stderr, { cause: error }));
      else resolve(JSON.parse(stdout) as string[]);
    });
  });
}
