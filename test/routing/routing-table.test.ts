/** The routing table while the database has too much to do for it. */
import { expect, it, onTestFinished } from "vitest";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { RoutingTable } from "../../src/routing/routing-table.js";
import { freshDatabase } from "../support/database.js";
import { until } from "../support/until.js";
import { makeWorld } from "../support/world.js";

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
