import { describe, expect, it } from "vitest";
import { openDatabase, type Queryable } from "../../src/db/database.js";
import { silentLog, createLog } from "../../src/kernel/log.js";
import { systemClock } from "../../src/kernel/clock.js";
import { AppError } from "../../src/kernel/errors.js";
import { AllocationBatch } from "../../src/pool/allocation-batch.js";
import { releaseNumber } from "../../src/pool/number-moves.js";
import { addNumbers, removeFromPool } from "../../src/pool/pool-changes.js";
import { type Allocation, presentBatch, renewLocks } from "../../src/pool/presentations.store.js";
import { findBrokenSequences, findDoubleLeases, findSplitVisitors, type LockExtension } from "../support/audit.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, makeDestination, makeWorld, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const movesOf = (world: World) => ({ db, ids, schedule: world.schedule });

/** What PostgreSQL says to a writer that knows nothing of our rules: the SQLSTATE, or null when it was let through. */
async function rogueUpdate(e164: string, set: string, tx: Queryable = db): Promise<string | null> {
  try {
    await tx.query({ name: "", text: `update promo_number set ${set} where e164 = '${e164}'` });
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const DOUBLE_LEASE = "23P01";
const BROKEN_RULE = "23514";
const NO_SUCH_POOL = "23503";

async function lockedNumber(settings = {}): Promise<{ world: World; e164: string }> {
  const world = await makeWorld(db, 1, settings);
  await presentBatch(db, [allocationFor(world)]);
  return { world, e164: world.numbers[0] as string };
}

describe("a rogue writer", () => {
  const otherVisitor = "visitor_id = 'vis_rogue', held_by = 'vis_rogue', presentation_id = 'prs_rogue'";

  it("cannot give a locked number to another visitor", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, otherVisitor)).toBe(DOUBLE_LEASE);
  });

  it("cannot do so with a new sequence, lock and retention either", async () => {
    const { e164 } = await lockedNumber();
    const all = `${otherVisitor}, presentation_seq = presentation_seq + 1, last_presented_at = now(), locked_until = now() + interval '1 day'`;
    expect(await rogueUpdate(e164, all)).toBe(DOUBLE_LEASE);
  });

  it("cannot shorten the lock first", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, "locked_until = now()")).toBe(DOUBLE_LEASE);
    expect(await rogueUpdate(e164, "locked_until = locked_until - interval '1 millisecond'")).toBe(DOUBLE_LEASE);
  });

  it("cannot forget the visitor first", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, "visitor_id = null, held_by = null, presentation_id = null")).toBe(DOUBLE_LEASE);
  });

  it("cannot go round by draining", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, "state = 'draining', held_by = null")).toBeNull();
    expect(await rogueUpdate(e164, "visitor_id = 'vis_rogue', presentation_id = 'prs_rogue'")).toBe(DOUBLE_LEASE);
    expect(await rogueUpdate(e164, `state = 'assigned', ${otherVisitor}`)).toBe(DOUBLE_LEASE);
    expect(await rogueUpdate(e164, "state = 'assigned', locked_until = '-infinity'")).toBe(DOUBLE_LEASE);
  });

  it("cannot go round by another pool", async () => {
    const { world, e164 } = await lockedNumber();
    const other = await makeWorld(db, 1, {
      accountId: world.account.id,
      destinationId: (await makeDestination(db, world.account, "+18005550111")).id,
    });
    const forgetting = "visitor_id = null, held_by = null, presentation_id = null";
    expect(await rogueUpdate(e164, `pool_id = '${other.pool.id}', ${otherVisitor}`)).toBe(DOUBLE_LEASE);
    expect(await rogueUpdate(e164, `pool_id = '${other.pool.id}', ${forgetting}, locked_until = now()`)).toBe(
      DOUBLE_LEASE,
    );
    // The lock goes along, so nobody gets it there before time.
    expect(await rogueUpdate(e164, `pool_id = '${other.pool.id}', ${forgetting}`)).toBeNull();
    expect(await rogueUpdate(e164, otherVisitor)).toBe(DOUBLE_LEASE);
  });

  it("cannot go round by the epoch, which rises with a change of owner and only then", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, `ownership_epoch = ownership_epoch + 1, ${otherVisitor}`)).toBe(BROKEN_RULE);
    const { world } = await lockedNumber();
    expect(
      await rogueUpdate(
        e164,
        `account_id = '${world.account.id}', pool_id = '${world.pool.id}', ownership_epoch = ownership_epoch + 1`,
      ),
    ).toBe(BROKEN_RULE);
    expect(await rogueUpdate(e164, `account_id = '${world.account.id}'`)).toBe(BROKEN_RULE);
  });

  it("cannot go round by a pool that reuses the oldest number", async () => {
    const { world, e164 } = await lockedNumber();
    const reusing = await makeWorld(db, 1, {
      accountId: world.account.id,
      destinationId: (await makeDestination(db, world.account, "+18005550112")).id,
      overflow: "reuse_oldest",
    });
    expect(await rogueUpdate(e164, `pool_id = '${reusing.pool.id}', ${otherVisitor}`)).toBe(DOUBLE_LEASE);
  });

  it("cannot put a number into another account's pool", async () => {
    const { e164 } = await lockedNumber();
    const stranger = await makeWorld(db, 1);
    const set = `pool_id = '${stranger.pool.id}', visitor_id = null, held_by = null, presentation_id = null`;
    expect(await rogueUpdate(e164, set)).toBe(NO_SUCH_POOL);
  });

  it("may extend a lock, and give the number away when the lock is over", async () => {
    const { world, e164 } = await lockedNumber({ sessionLifetimeS: 10 });
    expect(await rogueUpdate(e164, "locked_until = locked_until + interval '1 second'")).toBeNull();
    await db.transaction(async (tx) => {
      await tx.query({
        name: "",
        text: "select set_config('ringmatch.now', (now() + interval '1 minute')::text, true)",
      });
      expect(await rogueUpdate(e164, otherVisitor, tx)).toBeNull();
    });
    expect(await rows(db, "select visitor_id from promo_number where pool_id = $1", [world.pool.id])).toEqual([
      { visitor_id: "vis_rogue" },
    ]);
  });

  it("cannot let sequence, epoch or number go back, delete a number, or hold one that is no pool's", async () => {
    const { e164 } = await lockedNumber();
    expect(await rogueUpdate(e164, "presentation_seq = presentation_seq - 1")).toBe(BROKEN_RULE);
    expect(await rogueUpdate(e164, "e164 = '+18005550199'")).toBe(BROKEN_RULE);
    expect(await rogueUpdate(e164, "role = 'overflow'")).toBe(BROKEN_RULE);
    await expect(rows(db, "delete from promo_number where e164 = $1", [e164])).rejects.toMatchObject({
      code: BROKEN_RULE,
    });
  });

  it("of two who take the same free number at the same moment only one succeeds", async () => {
    const world = await makeWorld(db, 1);
    const e164 = world.numbers[0] as string;
    const take = (visitor: string): Promise<string | null> =>
      rogueUpdate(
        e164,
        `visitor_id = '${visitor}', presentation_id = 'p', presentation_seq = presentation_seq + 1, locked_until = now() + interval '1 hour'`,
      );
    const results = await Promise.all(["vis_1", "vis_2", "vis_3"].map(take));
    expect(results.sort()).toEqual([DOUBLE_LEASE, DOUBLE_LEASE, null]);
  });
});

describe("a hostile run", () => {
  it("of several allocators, short locks, renewals, removals and re-adds at once leaves no double and no split visitor", async () => {
    const run = await startHostileRun({ seconds: 6, allocators: 3, callersPerAllocator: 24 });
    expect(run.answered).toBeGreaterThan(500);
    expect(run.moves).toBeGreaterThan(10);
    expect(run.unexpected).toEqual([]);
    expect(await findDoubleLeases(db, run.extensions)).toEqual([]);
    expect(await findSplitVisitors(db)).toEqual([]);
    expect(
      await findBrokenSequences(db).then((broken) => broken.filter(({ number_id }) => run.numberIds.has(number_id))),
    ).toEqual([]);
    const [log] = await rows<{ missing: number }>(
      db,
      `select count(*) as missing from unnest($1::text[]) as a (id) where not exists (select 1 from presentation p where p.presentation_id = a.id)`,
      [run.presentationIds],
    );
    expect(log?.missing).toBe(0);
  });

  it("would be noticed: the audit finds a double lease, a lock extension overrun, and a gap", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 10 });
    const T = Date.parse("2026-11-23T00:00:00Z");
    const [a] = await presentBatch(db, [allocationFor(world)], T);
    await presentBatch(db, [allocationFor(world)], T + 11_000);
    expect(await findDoubleLeases(db)).toEqual([]);
    const presentationId = a?.kind === "presented" ? a.presentationId : "";
    expect(await findDoubleLeases(db, [{ presentationId, lockedUntil: T + 12_000 }])).toHaveLength(1);
    await rows(
      db,
      "update presentation set locked_until = locked_until + interval '5 seconds' where pool_id = $1 and seq = 1",
      [world.pool.id],
    );
    expect(await findDoubleLeases(db)).toMatchObject([{ number: world.numbers[0], seq: 2 }]);
    await rows(db, "delete from presentation where pool_id = $1 and seq = 1", [world.pool.id]);
    const [number] = await rows<{ id: number }>(db, "select id from promo_number where pool_id = $1", [world.pool.id]);
    expect((await findBrokenSequences(db)).map(({ number_id }) => number_id)).toContain(number?.id);
  });
});

interface HostileRun {
  answered: number;
  moves: number;
  readonly presentationIds: string[];
  readonly extensions: LockExtension[];
  readonly unexpected: unknown[];
  readonly numberIds: ReadonlySet<number>;
}

/** Each allocator has connections of its own, as a process of its own would; visitors wander between all of them. */
async function startHostileRun(input: {
  seconds: number;
  allocators: number;
  callersPerAllocator: number;
}): Promise<HostileRun> {
  const worlds = [
    await makeWorld(db, 6, { sessionLifetimeS: 1, retentionS: 3 }),
    await makeWorld(db, 12, { sessionLifetimeS: 1, retentionS: 2, overflow: "overflow_number" }),
  ];
  const visitors = Array.from({ length: 40 }, () => ids.next("vis"));
  const ofWorlds = await rows<{ id: number }>(db, "select id from promo_number where pool_id = any ($1)", [
    worlds.map((w) => w.pool.id),
  ]);
  const run: HostileRun = {
    answered: 0,
    moves: 0,
    presentationIds: [],
    extensions: [],
    unexpected: [],
    numberIds: new Set(ofWorlds.map(({ id }) => id)),
  };
  const end = Date.now() + input.seconds * 1_000;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)] as T;
  const unexpected = (error: unknown): void => void run.unexpected.push(error);

  const caller = async (batch: AllocationBatch): Promise<void> => {
    while (Date.now() < end) {
      const world = pick(worlds);
      const allocation = await batch.allocate(allocationFor(world, pick(visitors)));
      run.answered++;
      remember(run, allocation);
      if (Math.random() < 0.3) await renew(world, allocation, run);
    }
  };
  const mover = async (): Promise<void> => {
    while (Date.now() < end) {
      const world = pick(worlds);
      const e164 = pick(world.numbers);
      const removal = { poolId: world.pool.id, e164, skipDraining: false, reason: "hostile", actor: "test" };
      try {
        const removed = await removeFromPool(movesOf(world), removal);
        run.moves++;
        if (removed.state === "draining")
          await addNumbers(movesOf(world), { poolId: world.pool.id, numbers: [e164], actor: "test" });
        else await releaseAndAdd(world, e164);
      } catch (error) {
        // Another mover has it just now.
        if (!(error instanceof AppError) || !["illegal_transition", "not_found", "conflict"].includes(error.code))
          throw error;
      }
    }
  };
  const databases = Array.from({ length: input.allocators }, () =>
    openDatabase({ url, log: silentLog, connectionsMax: 4 }),
  );
  const batches = databases.map((own) => new AllocationBatch({ db: own, clock: systemClock, log: createLog("warn") }));
  const callers = batches.flatMap((batch) =>
    Array.from({ length: input.callersPerAllocator }, () => caller(batch).catch(unexpected)),
  );
  await Promise.all([...callers, mover().catch(unexpected), mover().catch(unexpected)]);
  await Promise.all(databases.map((own) => own.close()));
  return run;
}

function remember(run: HostileRun, allocation: Allocation): void {
  if (allocation.kind === "presented" || allocation.kind === "renewed")
    run.presentationIds.push(allocation.presentationId);
}

async function renew(world: World, allocation: Allocation, run: HostileRun): Promise<void> {
  if (allocation.kind !== "presented" && allocation.kind !== "renewed") return;
  const { visitorId, presentationId } = allocation;
  for (const renewal of await renewLocks(db, {
    accountId: world.account.id,
    visitorId,
    presentationIds: [presentationId],
  })) {
    if (renewal.outcome === "renewed") run.extensions.push({ presentationId, lockedUntil: renewal.lockedUntil });
  }
}

/** Through quarantine and back: a change of owner, and a new epoch. */
async function releaseAndAdd(world: World, e164: string): Promise<void> {
  await releaseNumber(movesOf(world), { e164, force: true, reason: "hostile", actor: "test" });
  await addNumbers(movesOf(world), { poolId: world.pool.id, numbers: [e164], actor: "test" });
}
