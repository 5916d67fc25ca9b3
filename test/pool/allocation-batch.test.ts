import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type Database, openDatabase, type NamedQuery, type Row } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import {
  ACCOUNT_SHARE_MAX,
  AllocationBatch,
  BATCH_MAX,
  WAIT_MS_MAX,
  WAITING_MAX,
  WORTHWHILE_SECOND,
} from "../../src/pool/allocation-batch.js";
import { type Allocation, type AllocationRequest, PRESENT_BATCH } from "../../src/pool/presentations.store.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { freshDatabase, rows } from "../support/database.js";
import { allocationFor, ids, makeWorld, type World } from "../support/world.js";

const { db, url } = await freshDatabase();
const world = await makeWorld(db, 300);
const rival = await makeWorld(db, 300);

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

const batchOn = (database: Database): AllocationBatch =>
  new AllocationBatch({ db: database, clock: systemClock, log: silentLog });

/** The real database, with every batch that goes by written down, and answered when `until` says so. */
function watched(database: Database, until = Promise.resolve()): { database: Database; batches: string[][] } {
  const batches: string[][] = [];
  const query = async <R = Row>(named: NamedQuery, values?: readonly unknown[]): Promise<R[]> => {
    if (named.name === PRESENT_BATCH.name) batches.push(values?.[0] as string[]);
    const found = await database.query<R>(named, values);
    await until;
    return found;
  };
  return { database: { ...database, query }, batches };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function proxied(): Promise<{ proxy: CuttableProxy; database: Database }> {
  const proxy = await CuttableProxy.start(url);
  opened.push({ close: () => proxy.stop() });
  const database = openDatabase({ url: proxy.url, log: silentLog, connectionsMax: 4 });
  opened.push(database);
  return { proxy, database };
}

type Settled = { readonly kind: "refused"; readonly code: string } | Allocation;

function settle(allocation: Promise<Allocation>): Promise<Settled> {
  return allocation.catch((error: { code: string }) => ({ kind: "refused" as const, code: error.code }));
}

const badRequests: readonly (readonly [string, Partial<AllocationRequest>])[] = [
  ["a NUL in its custom data", { customData: { a: "\u0000" } }],
  ["half a surrogate pair in its touch", { touch: { utm_source: "\ud800" } }],
  ["a presentation without id", { presentationId: null as never }],
];

describe("AllocationBatch", () => {
  it("serves everybody of one turn with one statement", async () => {
    const { database, batches } = watched(db);
    const batch = batchOn(database);
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => batch.allocate(allocationFor(world))));
    expect(new Set(outcomes.map((o) => o.kind === "presented" && o.promoNumber)).size).toBe(100);
    expect(batches.map((b) => b.length)).toEqual([100]);
  });

  it("serves who comes while a statement runs with the next one, a second page of one visitor as well", async () => {
    let release = (): void => undefined;
    const { database, batches } = watched(db, new Promise((resolve) => (release = resolve)));
    const batch = batchOn(database);
    const visitorId = ids.next("vis");
    const early = [visitorId, ids.next("vis")].map((id) => batch.allocate(allocationFor(world, id)));
    await nextTurn();
    const later = Array.from({ length: 8 }, () => batch.allocate(allocationFor(world)));
    const again = batch.allocate(allocationFor(world, visitorId));
    await nextTurn();
    expect(batches.map((b) => b.length)).toEqual([2]);
    release();
    const outcomes = await Promise.all([...early, ...later, again]);
    expect(batches.map((b) => b.length)).toEqual([2, 9]);
    const numbers = outcomes.map((o) => ("promoNumber" in o ? o.promoNumber : null));
    expect(numbers).not.toContain(null);
    expect(numbers.at(-1)).toBe(numbers[0]);
    expect(new Set(numbers).size).toBe(outcomes.length - 1);
  });

  it("sends a second statement beside a running one once it is worth it, and no third", async () => {
    let release = (): void => undefined;
    const { database, batches } = watched(db, new Promise((resolve) => (release = resolve)));
    const batch = batchOn(database);
    const sizes = (): number[] => batches.map((b) => b.length);
    const ask = (count: number): Promise<Allocation>[] =>
      Array.from({ length: count }, () => batch.allocate(allocationFor(rival)));
    const asked = ask(1);
    await nextTurn();
    asked.push(...ask(WORTHWHILE_SECOND - 1));
    await nextTurn();
    expect(sizes()).toEqual([1]);
    asked.push(...ask(1));
    await nextTurn();
    expect(sizes()).toEqual([1, WORTHWHILE_SECOND]);
    asked.push(...ask(WORTHWHILE_SECOND));
    await nextTurn();
    expect(sizes()).toEqual([1, WORTHWHILE_SECOND]);
    release();
    const outcomes = await Promise.all(asked);
    expect(sizes()).toEqual([1, WORTHWHILE_SECOND, WORTHWHILE_SECOND]);
    expect(new Set(outcomes.map((o) => o.kind === "presented" && o.promoNumber)).size).toBe(asked.length);
  });

  it("waits a moment for those whom a batch has answered: two halves of the visitors do not take turns", async () => {
    let release = (): void => undefined;
    const { database, batches } = watched(db, new Promise((resolve) => (release = resolve)));
    const batch = batchOn(database);
    const ask = (): Promise<Allocation> => batch.allocate(allocationFor(rival));
    const half = 8;
    // An answer goes to its page and another page comes: not in the same turn of the event loop.
    const askedTwice = async (): Promise<Allocation> => {
      await ask();
      await delay(1);
      return ask();
    };
    const answeredFirst = Array.from({ length: half }, askedTwice);
    // A pause is a part of what the batch took.
    await delay(50);
    const meanwhile = Array.from({ length: half }, ask);
    release();
    await Promise.all([...answeredFirst, ...meanwhile]);
    expect(batches.map((b) => b.length)).toEqual([half, 2 * half]);
  });

  it("has every answered presentation in the log", async () => {
    const batch = batchOn(db);
    const requests = Array.from({ length: 50 }, () => allocationFor(rival));
    const outcomes = await Promise.all(requests.map((request) => batch.allocate(request)));
    const answered = outcomes.map((o) => (o.kind === "presented" ? o.presentationId : "none"));
    const logged = await rows<{ presentation_id: string }>(
      db,
      "select presentation_id from presentation where presentation_id = any ($1)",
      [answered],
    );
    expect(logged.map((l) => l.presentation_id).sort()).toEqual([...answered].sort());
  });

  it("answers one visitor who asks many times at once with one number", async () => {
    const batch = batchOn(db);
    const visitorId = ids.next("vis");
    const lone = await makeWorld(db, 30);
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, () => batch.allocate(allocationFor(lone, visitorId))),
    );
    expect(outcomes.filter((o) => o.kind === "presented")).toHaveLength(1);
    expect(outcomes.filter((o) => o.kind === "renewed")).toHaveLength(29);
    expect(new Set(outcomes.map((o) => "promoNumber" in o && o.promoNumber)).size).toBe(1);
  });

  it("with reuse_oldest serves more visitors than numbers, one after the other", async () => {
    const lone = await makeWorld(db, 2, { overflow: "reuse_oldest" });
    const batch = batchOn(db);
    const outcomes = await Promise.all(Array.from({ length: 7 }, () => batch.allocate(allocationFor(lone))));
    expect(outcomes.map((o) => o.kind)).toEqual(Array<string>(7).fill("presented"));
  });
});

describe("one bad request among 256", () => {
  for (const [what, change] of badRequests) {
    it(`with ${what}: only that one fails, the others get their numbers`, async () => {
      const lone = await makeWorld(db, 256);
      const { database, batches } = watched(db);
      const batch = batchOn(database);
      const requests = Array.from({ length: 256 }, (_, i) => ({
        ...allocationFor(lone),
        ...(i === 200 ? change : {}),
      }));
      const settled = await Promise.all(requests.map((request) => settle(batch.allocate(request))));
      expect(batches[0]).toHaveLength(256);
      expect(settled[200]).toEqual({ kind: "refused", code: "invalid_value" });
      expect(settled.filter((s) => s.kind === "presented")).toHaveLength(255);
      // Halving: about two statements a level.
      expect(batches.length).toBeLessThan(1 + 2 * Math.log2(256) + 2);
    });
  }

  it("two bad ones at the ends are both found", async () => {
    const lone = await makeWorld(db, 20);
    const batch = batchOn(db);
    const requests = Array.from({ length: 20 }, (_, i) => ({
      ...allocationFor(lone),
      ...(i === 0 || i === 19 ? { customData: { a: "\u0000" } } : {}),
    }));
    const settled = await Promise.all(requests.map((request) => settle(batch.allocate(request))));
    expect(settled.flatMap((s, i) => (s.kind === "refused" ? [i] : []))).toEqual([0, 19]);
  });
});

describe("fairness and limits", () => {
  it("no account takes more than its share of a batch while others wait", async () => {
    const { database, batches } = watched(db);
    const batch = batchOn(database);
    const shareMax = BATCH_MAX * ACCOUNT_SHARE_MAX;
    const flood = Array.from({ length: 600 }, () => batch.allocate(allocationFor(world)));
    const trickle = Array.from({ length: 150 }, () => batch.allocate(allocationFor(rival)));
    await Promise.all([...flood, ...trickle]);
    const countOf = (accounts: string[], of: World): number => accounts.filter((a) => a === of.account.id).length;
    const [full, second] = batches as [string[], string[]];
    expect([countOf(full, world), countOf(full, rival)]).toEqual([shareMax, shareMax]);
    // The rest of the trickle leaves room, which the flood may use.
    expect([countOf(second, world), countOf(second, rival)]).toEqual([BATCH_MAX - (150 - shareMax), 150 - shareMax]);
  });

  it("refuses at once when too many wait, and goes on serving those who do", async () => {
    const { proxy, database } = await proxied();
    const batch = batchOn(database);
    proxy.hang();
    const waiting = Array.from({ length: WAITING_MAX + 1 }, () => settle(batch.allocate(allocationFor(world))));
    expect(batch.waiting).toBe(WAITING_MAX);
    expect(await settle(batch.allocate(allocationFor(world)))).toEqual({ kind: "refused", code: "overloaded" });
    proxy.cut();
    await Promise.all(waiting);
    expect(batch.waiting).toBe(0);
  });

  it("nobody waits much longer than the limit for a database that hangs", async () => {
    const { proxy, database } = await proxied();
    const batch = batchOn(database);
    await batch.allocate(allocationFor(world));
    proxy.hang();
    const start = performance.now();
    const inFlight = settle(batch.allocate(allocationFor(world)));
    const queued = settle(batch.allocate(allocationFor(world)));
    expect(await Promise.all([inFlight, queued])).toEqual([
      { kind: "refused", code: "overloaded" },
      { kind: "refused", code: "overloaded" },
    ]);
    expect(performance.now() - start).toBeLessThan(WAIT_MS_MAX + 1_000);
    proxy.restore();
    expect((await batch.allocate(allocationFor(world))).kind).toMatch(/presented|exhausted/);
  });

  it("nobody is presented what a database takes up when they have gone without: it was stopped, and finds the statement", async () => {
    const own = await makeWorld(db, 10);
    let thaw: Promise<void> = Promise.resolve();
    const query = async <R = Row>(named: NamedQuery, values?: readonly unknown[]): Promise<R[]> => {
      if (named.name === PRESENT_BATCH.name) await thaw;
      return db.query<R>(named, values);
    };
    const batch = batchOn({ ...db, query });
    // The first answers tell what time it is there.
    for (let i = 0; i < 3; i++) await batch.allocate(allocationFor(own));
    let end = (): void => undefined;
    thaw = new Promise((resolve) => (end = resolve));
    const gone = allocationFor(own);
    expect(await settle(batch.allocate(gone))).toMatchObject({ kind: "refused" });
    end();
    expect((await batch.allocate(allocationFor(own))).kind).toBe("presented");
    expect(await rows(db, "select 1 from presentation where visitor_id = $1", [gone.visitorId])).toEqual([]);
  });

  it("a clock that is set, the database's or ours, costs nobody their number", async () => {
    const own = await makeWorld(db, 20);
    let setMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + setMs };
    const batch = new AllocationBatch({ db, clock, log: silentLog });
    for (const jumpMs of [0, -3_600_000, 3_600_000, -5_000]) {
      setMs += jumpMs;
      for (let i = 0; i < 3; i++) expect((await batch.allocate(allocationFor(own))).kind).toBe("presented");
    }
  });

  it("a database that is away is told at once, and served again when it is back", async () => {
    const { proxy, database } = await proxied();
    const batch = batchOn(database);
    await batch.allocate(allocationFor(rival));
    proxy.cut();
    const start = performance.now();
    const settled = await Promise.all(Array.from({ length: 300 }, () => settle(batch.allocate(allocationFor(rival)))));
    expect(new Set(settled.map((s) => (s.kind === "refused" ? s.code : s.kind)))).toEqual(
      new Set(["database_unavailable"]),
    );
    expect(performance.now() - start).toBeLessThan(WAIT_MS_MAX);
    proxy.restore();
    expect((await batch.allocate(allocationFor(rival))).kind).toMatch(/presented|exhausted/);
  });
});
