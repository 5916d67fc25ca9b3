/** The routing table while the database has too much to do for it. */
import { expect, it, onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { RoutingTable } from "../../src/routing/routing-table.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import { addInventory, makeDestination, makeWorld, tollFreeNumbers } from "../support/world.js";

const { db, url } = await freshDatabase();

it("reads again what it could not read, although its listener lost nothing", async () => {
  const world = await makeWorld(db, 1);
  const number = world.numbers[0] as string;
  // One connection, so that it can be taken; the listener has its own.
  const narrow = openDatabase({ url, log: silentLog, connectionsMax: 1 });
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (event: string) => void warnings.push(event) };
  const table = new RoutingTable({ database: narrow, log, onChange: () => undefined });
  await table.start();
  onTestFinished(async () => {
    await table.stop();
    await narrow.close();
  });
  expect(table.find(number)?.isRouted).toBe(true);
  await narrow.transaction(async () => {
    await quarantineNumber(
      { db, schedule: world.schedule },
      { e164: number, accountId: null, reason: "r", actor: "test" },
    );
    await until("the table could not be read", () => warnings.includes("routing.reload_failed"));
  });
  await until("it is known", () => table.find(number)?.isRouted === false);
});

it("learns of numbers whose ids are lower than those it has read: the first to be given may be the last to be committed", async () => {
  const table = new RoutingTable({ database: db, log: silentLog, onChange: () => undefined });
  await table.start();
  onTestFinished(() => table.stop());
  const [early, late] = tollFreeNumbers(2) as [E164, E164];
  await db.transaction(async (tx) => {
    await addInventory(tx, [early]);
    await addInventory(db, [late]);
    await until("the later one is known", () => table.find(late) !== null);
    expect(table.find(early)).toBeNull();
  });
  await until("the earlier one is known", () => table.find(early) !== null);
});

it("keeps what it was told of a number while somebody's slow look at it was under way", async () => {
  const [number] = tollFreeNumbers(1) as [E164];
  let [isHeld, letGo] = [false, (): void => undefined];
  const slow: Database = {
    ...db,
    query: async (query, values) => {
      const answer = await db.query<never>(query, values);
      if (!isHeld) return answer;
      isHeld = false;
      await new Promise<void>((resolve) => (letGo = resolve));
      return answer;
    },
  };
  const table = new RoutingTable({ database: slow, log: silentLog, onChange: () => undefined });
  await table.start();
  onTestFinished(() => table.stop());
  await new Promise((resolve) => setTimeout(resolve, 200));
  await addInventory(db, [number]);
  isHeld = true;
  const looking = table.read(number);
  await until("it is in memory", () => table.find(number) !== null);
  await rows(db, "update promo_number set host_account_id = $1 where e164 = $2", [
    (await makeWorld(db, 1)).account.id,
    number,
  ]);
  await until("the change is known", () => table.find(number)?.hostAccountId !== null);
  letGo();
  expect((await looking)?.hostAccountId).not.toBeNull();
});

it("follows a destination and a pool that change, and nobody else's numbers are read again", async () => {
  const world = await makeWorld(db, 2);
  await makeWorld(db, 2);
  const elsewhere = await makeDestination(db, world.account, "+18005550177");
  const read: string[][] = [];
  const table = new RoutingTable({ database: watchingReads(db, read), log: silentLog, onChange: () => undefined });
  await table.start();
  onTestFinished(() => table.stop());
  await until("it has read everything", () => read.length >= 2);
  read.length = 0;
  const [first = ""] = world.numbers;
  await rows(db, "update destination set ring_timeout_s = 77 where id = $1", [world.destination.id]);
  await until("it follows the destination", () => table.find(first)?.destination?.ringTimeoutS === 77);
  await rows(db, "update pool set destination_id = $1 where id = $2", [elsewhere.id, world.pool.id]);
  await until("it follows the pool", () => table.find(first)?.destination?.number === elsewhere.number);
  expect(new Set(read.flat())).toEqual(new Set(world.numbers));
});

/** The same database; the numbers in each answer are added to `read`. */
function watchingReads(database: Database, read: string[][]): Database {
  const query: Database["query"] = async <Row>(...asked: Parameters<Database["query"]>) => {
    const found = await database.query<Row>(...asked);
    read.push(found.map((row) => (row as { e164: string }).e164));
    return found;
  };
  return { ...database, query };
}
