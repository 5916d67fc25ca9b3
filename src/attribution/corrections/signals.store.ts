/** Signals as they are stored: one fact a call, name and partner's id; a changed one is a new row with the old one's id. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { CurrentSignal } from "./correction.js";
import type { NewestRow } from "./corrections.store.js";

export interface StoredSignal extends CurrentSignal {
  readonly correctsId: string | null;
  readonly revision: number;
}

const COLUMNS = `id, name, partner_unique_id as "partnerUniqueId", value, revenue::float8 as revenue, occurred_at as "occurredAt",
  corrects_id as "correctsId", revision`;
const SELECT_CURRENT = sql(
  "signal_select_current",
  `select distinct on (name, partner_unique_id) ${COLUMNS}
   from call_signal where call_id = $1 order by name, partner_unique_id, revision desc`,
);
const INSERT = sql(
  "signal_insert",
  `insert into call_signal (id, call_id, received_at, account_id, name, partner_unique_id, revision, corrects_id, call_revision, value, revenue,
     occurred_at, at, actor)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12::timestamptz, clock_timestamp()), clock_timestamp(), $13)
   returning ${COLUMNS}`,
);

/** The newest of each name and partner's id. */
export async function readSignals(db: Queryable, callId: string): Promise<StoredSignal[]> {
  return db.query<StoredSignal>(SELECT_CURRENT, [callId]);
}

export interface NewSignal {
  readonly id: string;
  readonly name: string;
  readonly partnerUniqueId: string;
  readonly value: boolean | null;
  readonly revenue: number | null;
  /** null: now. */
  readonly occurredAt: Instant | null;
  readonly actor: string;
}

/** @param newest the call's newest row, locked; the signal belongs to the row that comes after it */
export async function insertSignal(
  tx: Queryable,
  { newest, before, signal }: { newest: NewestRow; before: StoredSignal | null; signal: NewSignal },
): Promise<StoredSignal> {
  const { callId, receivedAt, accountId, revision } = newest;
  const [row] = await tx.query<StoredSignal>(INSERT, [
    ...[signal.id, callId, timestamp(receivedAt), accountId, signal.name, signal.partnerUniqueId],
    ...[(before?.revision ?? 0) + 1, before?.id ?? null, revision + 1],
    ...[signal.value, signal.revenue, timestamp(signal.occurredAt), signal.actor],
  ]);
  return row as StoredSignal;
}
