import { afterAll, expect, it } from "vitest";
import { ensureTrunk } from "../../src/account/trunks.store.js";
import type { Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { SipService } from "../../src/sip/sip-service.js";
import { freshDatabase } from "../support/database.js";
import { startRouting } from "../support/routing.js";

const { db } = await freshDatabase();
const routing = await startRouting(db);
afterAll(() => routing.stop());

it("keeps the trunks of the last of two changes, however slowly those of the first are read", async () => {
  let delayMs = 0;
  const slow: Database = {
    ...db,
    query: async (query, values) => {
      const waitMs = delayMs;
      const rows = await db.query<never>(query, values);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      return rows;
    },
  };
  let sources: readonly string[] = [];
  const service = new SipService({
    addresses: [],
    db: slow,
    routing: routing.deps,
    clock: systemClock,
    log: silentLog,
    node: "test-node",
    interceptUri: null,
    isReady: () => true,
    onSources: (cidrs) => void (sources = cidrs),
  });
  await service.start();
  delayMs = 200;
  const first = service.trunksChanged();
  // The first has read by now, and its answer is under way.
  await new Promise((resolve) => setTimeout(resolve, 100));
  delayMs = 0;
  await ensureTrunk(db, { name: "new", sourceCidrs: ["192.0.2.0/24"] });
  await Promise.all([first, service.trunksChanged()]);
  expect(sources).toEqual(["192.0.2.0/24"]);
  await service.stop();
});
