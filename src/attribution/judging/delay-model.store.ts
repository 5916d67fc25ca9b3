/** Versions of pools' delay models: written by measure-models.ts, read when calls are judged and explained. A version is never changed. */
import { sql, type Queryable } from "../../db/database.js";
import { type DelayModel, type NewModel, PRIOR_MODEL } from "./delay-model.js";

const COLUMNS = `m.id, m.calls, m.parts, m.call_share as "callShare", m.background_per_s as "backgroundPerS"`;
export const NEWEST_OF_POOLS = sql(
  "delay_model_newest",
  `select asked.pool_id as "poolId", m.*
   from unnest($1::text[]) as asked (pool_id) cross join lateral (
     select ${COLUMNS} from pool_delay_model m where m.pool_id = asked.pool_id order by m.id desc limit 1) m`,
);
const SELECT_ONE = sql("delay_model_select_one", `select ${COLUMNS} from pool_delay_model m where m.id = $1`);
const INSERT = sql(
  "delay_model_insert",
  `insert into pool_delay_model (pool_id, calls, parts, call_share, background_per_s) values ($1, $2, $3, $4, $5) returning id`,
);

interface ModelRow extends Omit<DelayModel, "source" | "id"> {
  id: number;
}

/** The newest of each pool; none for a pool that has only the prior. */
export async function readNewestModels(
  db: Queryable,
  poolIds: readonly string[],
): Promise<ReadonlyMap<string, DelayModel>> {
  if (poolIds.length === 0) return new Map();
  const rows = await db.query<ModelRow & { poolId: string }>(NEWEST_OF_POOLS, [[...new Set(poolIds)]]);
  return new Map(rows.map(({ poolId, ...row }) => [poolId, modelOfRow(row)]));
}

/** The version that a record names; its id is null where it was judged by the prior. */
export async function readModel(db: Queryable, id: number | null): Promise<DelayModel> {
  if (id === null) return PRIOR_MODEL;
  const [row] = await db.query<ModelRow>(SELECT_ONE, [id]);
  return row === undefined ? PRIOR_MODEL : modelOfRow(row);
}

/** @returns its id */
export async function insertModel(db: Queryable, poolId: string, model: NewModel): Promise<number> {
  const { calls, parts, callShare, backgroundPerS } = model;
  const rows = await db.query<{ id: number }>(INSERT, [
    poolId,
    calls,
    JSON.stringify(parts),
    callShare,
    backgroundPerS,
  ]);
  return (rows[0] as { id: number }).id;
}

function modelOfRow(row: ModelRow): DelayModel {
  return { ...row, source: "measured" };
}
