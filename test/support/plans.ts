/** How PostgreSQL runs a query: for tests that hold hot queries to their indexes. */
import type { Database } from "../../src/db/database.js";
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

/** Of a session that planned the queries by index (db/planner.ts), ran them, and kept the plans while the tables grew: no statistics came in between. */
export async function plansKeptWhile(
  db: Database,
  queries: readonly { readonly name: string; readonly text: string }[],
  how: { readonly values: readonly unknown[]; readonly grow: () => Promise<unknown> },
): Promise<PlanNode[][]> {
  await rows(
    db,
    `do $$ declare part regclass; begin
       for part in select inhrelid from pg_inherits loop
         if exists (select from pg_class where oid = part and relkind = 'r') then
           execute format('alter table %s set (autovacuum_enabled = false)', part);
         end if;
       end loop;
     end $$`,
  );
  const client = await db.connect();
  try {
    const literals = how.values.map(literal).join(", ");
    await client.query("set plan_cache_mode = force_generic_plan; set enable_seqscan = off");
    for (const { name, text } of queries) {
      await client.query(`prepare ${name} as ${text}`);
      await client.query(`execute ${name} (${literals})`);
    }
    await how.grow();
    const plans: PlanNode[][] = [];
    for (const { name } of queries) {
      const { rows: explained } = await client.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) execute ${name} (${literals})`,
      );
      const [first] = explained as [{ "QUERY PLAN": [{ Plan: PlanNode }] }];
      plans.push([...nodesOf(first["QUERY PLAN"][0].Plan)]);
    }
    return plans;
  } finally {
    await client.end();
  }
}

function literal(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `'{${value.join(",")}}'`;
  return typeof value === "number" ? String(value) : `'${String(value)}'`;
}
