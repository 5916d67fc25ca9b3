/** Static numbers by the number itself, as Invoca's clients name them, and the ids that they gave them. */
import { sql, type Queryable } from "../../db/database.js";

const FIND = sql(
  "invoca_promo_number_find",
  `select s.id from static_number s join promo_number n on n.id = s.number_id and n.ownership_epoch = s.ownership_epoch
   where s.account_id = $1 and n.e164 = $2 and s.ended_at is null`,
);
const NAMES = sql(
  "invoca_promo_number_names",
  `select static_number_id as id, id_from_network as "idFromNetwork" from invoca_promo_number where static_number_id = any ($1)`,
);
const PUT_NAME = sql(
  "invoca_promo_number_put_name",
  `insert into invoca_promo_number (static_number_id, id_from_network) values ($1, $2)
   on conflict (static_number_id) do update set id_from_network = excluded.id_from_network`,
);

/** @returns the static number's id; null for none in service */
export async function findPromoNumber(
  db: Queryable,
  { accountId, e164 }: { accountId: string; e164: string },
): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(FIND, [accountId, e164]);
  return row?.id ?? null;
}

/** By static number's id; without those that nobody named. */
export async function readPromoNumberNames(db: Queryable, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await db.query<{ id: string; idFromNetwork: string }>(NAMES, [ids]);
  return new Map(rows.map(({ id, idFromNetwork }) => [id, idFromNetwork]));
}

export async function putPromoNumberName(db: Queryable, id: string, idFromNetwork: string): Promise<void> {
  await db.query(PUT_NAME, [id, idFromNetwork]);
}
