/** Ring pools in the database. What a pool does with its numbers is in pool-changes.ts. */
import { sql, sqlState, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { AccountId, IdSource, PoolId } from "../kernel/ids.js";
import type { NumberType } from "../telephony/npa.js";
import type { NpaFallback } from "./fitting-numbers.js";
import type { OverflowBehaviour, PoolKind } from "./ring-pool.js";

export interface AutoscaleRule {
  readonly enabled: boolean;
  readonly growthPercent: number;
  readonly maxStep: number;
  readonly intervalS: number;
  readonly minSize: number | null;
}

export interface PoolSettings {
  readonly name: string;
  readonly sessionLifetimeS: number;
  readonly retentionS: number;
  readonly maxSize: number;
  readonly overflow: OverflowBehaviour;
  readonly drainS: number;
  readonly autoscale: AutoscaleRule | null;
  /** Local pools: where to look when their own area code has no number left, in order; empty: nowhere. */
  readonly npaFallback: readonly NpaFallback[];
}

export interface Pool extends PoolSettings {
  readonly id: PoolId;
  readonly accountId: AccountId;
  readonly kind: PoolKind;
  readonly campaign: string | null;
  readonly destinationId: string;
  readonly destinationNumber: string;
  readonly numberType: NumberType;
  readonly npa: string | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Numbers it holds, the overflow number included; draining ones are not its any more. */
  readonly size: number;
  /** Of these, locked for a visitor right now. */
  readonly locked: number;
  readonly overflowNumber: string | null;
}

const COLUMNS = `p.id, p.account_id as "accountId", p.name, p.kind, p.campaign, p.destination_id as "destinationId",
  d.number as "destinationNumber", p.number_type as "numberType", p.npa, p.session_lifetime_s as "sessionLifetimeS",
  p.retention_s as "retentionS", p.max_size as "maxSize", p.overflow, p.drain_s as "drainS", p.autoscale, p.npa_fallback as "npaFallback",
  p.created_at as "createdAt", p.updated_at as "updatedAt", s.size, s.locked, s."overflowNumber"`;
const FROM = `pool p join destination d on d.id = p.destination_id cross join lateral (
  select count(*) as size, count(*) filter (where n.locked_until > now()) as locked,
    min(n.e164) filter (where n.role = 'overflow') as "overflowNumber"
  from promo_number n where n.pool_id = p.id and n.state = 'assigned') s`;

const INSERT = sql(
  "pool_insert",
  `insert into pool (id, account_id, name, kind, campaign, destination_id, number_type, npa, session_lifetime_s, retention_s, max_size,
     overflow, drain_s, autoscale, npa_fallback, auto_created)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
);
const SELECT_ONE = sql(
  "pool_select_one",
  `select ${COLUMNS} from ${FROM} where p.id = $1 and ($2::text is null or p.account_id = $2) and p.deleted_at is null`,
);
const SELECT_PAGE = sql(
  "pool_select_page",
  `select ${COLUMNS} from ${FROM} where p.id > $1 and ($2::text is null or p.account_id = $2) and p.deleted_at is null order by p.id limit $3`,
);
const UPDATE = sql(
  "pool_update",
  `update pool set name = $2, session_lifetime_s = $3, retention_s = $4, max_size = $5, overflow = $6, drain_s = $7, autoscale = $8,
     destination_id = $9, npa_fallback = $10, updated_at = now() where id = $1 and deleted_at is null returning id`,
);
const DELETE = sql(
  "pool_delete",
  `update pool set deleted_at = now(), updated_at = now() where id = $1 and deleted_at is null returning id`,
);
/** "no key": what refers to the pool, as the count of visitors it turned away does, must not wait; it holds the row that a look locks next. */
const LOCK = sql("pool_lock", `select id from pool where id = $1 and deleted_at is null for no key update`);

export interface NewPool extends PoolSettings {
  readonly accountId: string;
  readonly kind: PoolKind;
  readonly campaign: string | null;
  readonly destinationId: string;
  readonly numberType: NumberType;
  readonly npa: string | null;
  /** Because a page showed its destination, not by a person. False when not given. */
  readonly autoCreated?: boolean;
}

/** @throws AppError("already_exists") for a second automatic pool of a destination, or a second one of the same campaign */
export async function insertPool(deps: { db: Queryable; ids: IdSource }, pool: NewPool): Promise<PoolId> {
  const id = deps.ids.next("pool");
  try {
    await deps.db.query(INSERT, [
      id,
      pool.accountId,
      pool.name,
      pool.kind,
      pool.campaign,
      pool.destinationId,
      pool.numberType,
      pool.npa,
      pool.sessionLifetimeS,
      pool.retentionS,
      pool.maxSize,
      pool.overflow,
      pool.drainS,
      pool.autoscale === null ? null : JSON.stringify(pool.autoscale),
      pool.npaFallback,
      pool.autoCreated ?? false,
    ]);
    return id;
  } catch (error) {
    if (sqlState(error) !== "23505") throw error;
    const which = pool.kind === "automatic" ? "an automatic pool" : `a pool for the campaign ${pool.campaign ?? ""}`;
    throw new AppError("already_exists", `The destination has ${which} already.`);
  }
}

/** @param accountId null: any account (admin). @throws AppError("not_found") */
export async function getPool(db: Queryable, input: { id: string; accountId: string | null }): Promise<Pool> {
  const [row] = await db.query<Pool>(SELECT_ONE, [input.id, input.accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such pool.");
  return row;
}

export async function listPools(
  db: Queryable,
  page: { accountId: string | null; after: string; limit: number },
): Promise<Pool[]> {
  return db.query<Pool>(SELECT_PAGE, [page.after, page.accountId, page.limit]);
}

/** Serialises whoever changes the pool's size. @throws AppError("not_found") when it was deleted meanwhile */
export async function lockPool(tx: Queryable, id: string): Promise<Pool> {
  if ((await tx.query(LOCK, [id])).length === 0) throw new AppError("not_found", "There is no such pool.");
  return getPool(tx, { id, accountId: null });
}

export async function updatePool(
  tx: Queryable,
  id: string,
  settings: PoolSettings & { destinationId: string },
): Promise<void> {
  await tx.query(UPDATE, [
    id,
    settings.name,
    settings.sessionLifetimeS,
    settings.retentionS,
    settings.maxSize,
    settings.overflow,
    settings.drainS,
    settings.autoscale === null ? null : JSON.stringify(settings.autoscale),
    settings.destinationId,
    settings.npaFallback,
  ]);
}

export async function markPoolDeleted(tx: Queryable, id: string): Promise<void> {
  await tx.query(DELETE, [id]);
}
