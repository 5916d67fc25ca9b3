/** The databases of `bench -- present`: few and many numbers, one and many accounts, a short and a long log. */
import type { Database } from "../../src/db/database.js";
import type { BenchServer } from "../server.js";
import { loadPresentationLog, settle } from "../presentation-log.js";
import { makeTenants } from "../tenants.js";

export interface World {
  readonly name: string;
  readonly db: Database;
  readonly url: string;
  readonly tenants: number;
  /** More visitors than numbers: two of three page views give somebody a new number, the third renews. */
  readonly visitorsATenant: number;
}

interface WorldPlan {
  readonly name: string;
  readonly tenants: number;
  readonly numbersATenant: number;
  /** Rows of the presentation log before anything is measured. */
  readonly presentations: number;
}

const VISITORS_A_NUMBER = 3;
/** The least that the contract allows: numbers come round again all the time. */
const LIFETIME_S = 1;
const CONNECTIONS = 8;
/** The long log is spread over so many days, today's the last of them. */
const DAYS = 4;

export async function makeWorld(server: BenchServer, plan: WorldPlan): Promise<World> {
  const { name, tenants, numbersATenant, presentations } = plan;
  const db = await server.database(name, CONNECTIONS);
  await makeTenants(db, { tenants, numbersATenant, sessionLifetimeS: () => LIFETIME_S, overflow: "reuse_oldest" });
  const numbers = tenants * numbersATenant;
  const aNumber = presentations / numbers;
  const days = aNumber < DAYS ? 1 : DAYS;
  const aDay = Math.max(1, Math.round(aNumber / days));
  await loadPresentationLog(db, { numbers, aDay, days });
  // The rows know how far their sequence is.
  await db.query({ name: "", text: "update promo_number set presentation_seq = $1" }, [aDay * days + 1]);
  await settle(db);
  return { name, db, url: server.url(name), tenants, visitorsATenant: numbersATenant * VISITORS_A_NUMBER };
}

const COUNT_LOG = {
  name: "",
  text: `select count(*)::int as rows from presentation where presented_at between $1::timestamptz and now()`,
};

/** Presentations stored since then, by the database's clock. */
export async function storedSince(db: Database, since: string): Promise<number> {
  const [row] = await db.query<{ rows: number }>(COUNT_LOG, [since]);
  return row?.rows ?? 0;
}

export async function databaseNow(db: Database): Promise<string> {
  const [row] = await db.query<{ now: string }>({ name: "", text: "select clock_timestamp()::text as now" });
  return row?.now ?? "";
}
