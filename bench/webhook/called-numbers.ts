/** A database whose numbers were all just presented, each to a visitor of its own, and what became of the calls to them. */
import type { Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { createIdSource } from "../../src/kernel/ids.js";
import { systemRandom } from "../../src/kernel/random.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import type { BenchServer } from "../server.js";
import { makeTenants } from "../tenants.js";

const CONNECTIONS = 4;
const BATCH = 250;

export async function makeCalledNumbers(
  server: BenchServer,
  count: number,
): Promise<{ db: Database; url: string; numbers: string[] }> {
  const name = "calls";
  const db = await server.database(name, CONNECTIONS);
  await makeTenants(db, { tenants: 1, numbersATenant: count, sessionLifetimeS: () => 1_800 });
  const ids = createIdSource(systemClock, systemRandom);
  const numbers: string[] = [];
  while (numbers.length < count) {
    const shown = await presentBatch(
      db,
      Array.from({ length: Math.min(BATCH, count - numbers.length) }, () => ({
        accountId: "acc_0",
        poolId: "pool_0",
        visitorId: ids.next("vis"),
        freshVisitorId: ids.next("vis"),
        presentationId: ids.next("prs"),
        logId: ids.next("prl"),
        touch: { utm_source: "google" },
        customData: {},
        context: {},
      })),
    );
    for (const one of shown) {
      if (one.kind !== "presented") throw new Error(`A number was not presented: ${one.kind}.`);
      numbers.push(one.promoNumber);
    }
  }
  return { db, url: server.url(name), numbers };
}

const MATCHED = {
  name: "",
  text: `select (count(*) filter (where attribution = 'matched' and not late))::float8 / greatest(count(*), 1) as share from call`,
};

/** Of all calls, those matched before their phone rang. */
export async function matchedShare(db: Database): Promise<number> {
  const [row] = await db.query<{ share: number }>(MATCHED);
  return row?.share ?? 0;
}
