/** What a static number stands for, one row for each time an account holds it as static. The number itself is in numbers.store.ts. */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { IdSource } from "../kernel/ids.js";
import type { E164 } from "../telephony/e164.js";
import type { NumberType } from "../telephony/npa.js";
import type { NumberState } from "./promo-number.js";

export interface StaticNumber {
  readonly id: string;
  readonly accountId: string;
  readonly number: E164;
  readonly type: NumberType;
  readonly npa: string | null;
  /** Of the number now; it may have gone on to another life. */
  readonly state: NumberState;
  readonly destinationId: string;
  readonly destinationNumber: E164;
  readonly name: string;
  /** What calls to it are credited to. */
  readonly touch: Readonly<Record<string, string>>;
  readonly drainS: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Given up; calls still come through while the number drains. */
  readonly endedAt: Instant | null;
}

export interface StaticSettings {
  readonly destinationId: string;
  readonly name: string;
  readonly touch: Readonly<Record<string, string>>;
  readonly drainS: number;
}

const COLUMNS = `s.id, s.account_id as "accountId", n.e164 as number, n.number_type as type, n.npa, n.state, s.destination_id as "destinationId",
  d.number as "destinationNumber", s.name, s.touch, s.drain_s as "drainS", s.created_at as "createdAt", s.updated_at as "updatedAt",
  s.ended_at as "endedAt"`;
const FROM = `static_number s join promo_number n on n.id = s.number_id join destination d on d.id = s.destination_id`;

// An account that takes a draining number back into service holds it still: the same row, with what it stands for now.
const UPSERT = sql(
  "static_upsert",
  `insert into static_number (id, number_id, ownership_epoch, account_id, destination_id, name, touch, drain_s)
   values ($1, $2, $3, $4, $5, $6, $7, $8)
   on conflict (number_id, ownership_epoch) do update set destination_id = excluded.destination_id, name = excluded.name, touch = excluded.touch,
     drain_s = excluded.drain_s, updated_at = now(), ended_at = null
   returning id`,
);
const SELECT_ONE = sql(
  "static_select_one",
  `select ${COLUMNS} from ${FROM} where s.id = $1 and ($2::text is null or s.account_id = $2)`,
);
const SELECT_PAGE = sql(
  "static_select_page",
  `select ${COLUMNS} from ${FROM} where s.id > $1 and ($2::text is null or s.account_id = $2) and s.ended_at is null order by s.id limit $3`,
);
const UPDATE = sql(
  "static_update",
  `update static_number set destination_id = $2, name = $3, touch = $4, drain_s = $5, updated_at = now() where id = $1 and ended_at is null returning id`,
);
const END = sql(
  "static_end",
  `update static_number set ended_at = now() where id = $1 and ended_at is null returning id`,
);

export async function putStatic(
  deps: { db: Queryable; ids: IdSource },
  input: StaticSettings & { numberId: number; ownershipEpoch: number; accountId: string },
): Promise<string> {
  const [row] = await deps.db.query<{ id: string }>(UPSERT, [
    deps.ids.next("stn"),
    input.numberId,
    input.ownershipEpoch,
    input.accountId,
    input.destinationId,
    input.name,
    JSON.stringify(input.touch),
    input.drainS,
  ]);
  return (row as { id: string }).id;
}

/** @param accountId null: any account (admin). @throws AppError("not_found") */
export async function getStatic(db: Queryable, input: { id: string; accountId: string | null }): Promise<StaticNumber> {
  const [row] = await db.query<StaticNumber>(SELECT_ONE, [input.id, input.accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such static number.");
  return row;
}

/** Those in service, oldest first. */
export async function listStatics(
  db: Queryable,
  page: { accountId: string | null; after: string; limit: number },
): Promise<StaticNumber[]> {
  return db.query<StaticNumber>(SELECT_PAGE, [page.after, page.accountId, page.limit]);
}

/** @returns false when it was given up meanwhile */
export async function updateStatic(tx: Queryable, id: string, settings: StaticSettings): Promise<boolean> {
  const { destinationId, name, touch, drainS } = settings;
  return (await tx.query(UPDATE, [id, destinationId, name, JSON.stringify(touch), drainS])).length > 0;
}

/** @returns false when it was given up before */
export async function endStatic(tx: Queryable, id: string): Promise<boolean> {
  return (await tx.query(END, [id])).length > 0;
}
