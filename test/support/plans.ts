/** How PostgreSQL runs a query: for tests that hold hot queries to their indexes. */
import type { Database } from "../../src/db/database.js";
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

function literal(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `'{${value.join(",")}}'`;
  return typeof value === "number" ? String(value) : `'${String(value)}'`;
}
