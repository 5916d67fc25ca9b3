/** How PostgreSQL runs a query: for tests that hold hot queries to their indexes. */
import type { Database, Queryable } from "../../src/db/database.js";
import { byKeys, inIndexOrder } from "../../src/db/planner.js";
import { rows } from "./database.js";
import { ids } from "./world.js";

export interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows"?: number;
  readonly "Actual Loops"?: number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

export function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

/** Rows that a scan touched in all its loops, those it threw away again included. */
export function rowsRead(node: PlanNode): number {
  return ((node["Actual Rows"] ?? 0) + (node["Rows Removed by Filter"] ?? 0)) * (node["Actual Loops"] ?? 1);
}

/** As a prepared statement in a session runs it after a while: with the generic plan. */
export async function planOf(db: Database, text: string, values: readonly unknown[]): Promise<PlanNode[]> {
  return db.transaction(async (tx) => {
    await tx.query({ name: "", text: "set local plan_cache_mode = force_generic_plan" });
    const name = `plan_${ids.next("req")}`;
    await tx.query({ name: "", text: `prepare ${name} as ${text}` });
    const literals = values.map(literal).join(", ");
    const [row] = await tx.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>({
      name: "",
      text: `explain (analyze, format json) execute ${name} (${literals})`,
    });
    return [...nodesOf((row as { "QUERY PLAN": [{ Plan: PlanNode }] })["QUERY PLAN"][0].Plan)];
  });
}

/** No statistics come by themselves to this table's partitions. */
export async function keepUnanalyzed(db: Database, table: string): Promise<void> {
  const parts = await rows<{ name: string }>(
    db,
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass",
    [table],
  );
  for (const { name } of parts) await rows(db, `alter table ${name} set (autovacuum_enabled = false)`);
}

/** Of a session that planned the queries by index (db/planner.ts), ran them, and kept the plans while the tables grew. */
export async function plansKeptWhile(
  db: Database,
  queries: readonly { readonly name: string; readonly text: string }[],
  how: { readonly values: readonly unknown[]; readonly grow: () => Promise<unknown> },
): Promise<PlanNode[][]> {
  const client = await db.connect();
  const byIndex = async (work: () => Promise<void>): Promise<void> => {
    await client.query("begin");
    const tx: Queryable = { query: async (query) => (await client.query(query.text)).rows };
    await byKeys(tx);
    await inIndexOrder(tx);
    await work();
    await client.query("commit");
  };
  const literals = how.values.map(literal).join(", ");
  const plans: PlanNode[][] = [];
  try {
    await client.query("set plan_cache_mode = force_generic_plan");
    await byIndex(async () => {
      for (const { name, text } of queries) {
        await client.query(`prepare ${name} as ${text}`);
        await client.query(`execute ${name} (${literals})`);
      }
    });
    await how.grow();
    await byIndex(async () => {
      for (const { name } of queries) {
        const explained = await client.query(`explain (analyze, format json) execute ${name} (${literals})`);
        const [{ "QUERY PLAN": plan }] = explained.rows as [{ "QUERY PLAN": [{ Plan: PlanNode }] }];
        plans.push([...nodesOf(plan[0].Plan)]);
      }
    });
  } finally {
    await client.end();
  }
  return plans;
}

function literal(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `'{${value.join(",")}}'`;
  return typeof value === "number" ? String(value) : `'${String(value)}'`;
}
