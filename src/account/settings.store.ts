/** Settings of the whole platform, one JSON value a name. */
import { sql, type Queryable } from "../db/database.js";

const SELECT = sql("setting_select", `select value from platform_setting where name = $1`);
const UPSERT = sql(
  "setting_upsert",
  `insert into platform_setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value, updated_at = now()`,
);

const INSERT = sql(
  "setting_insert",
  `insert into platform_setting (name, value) values ($1, $2) on conflict (name) do nothing`,
);

export async function readSetting<T>(db: Queryable, name: string): Promise<T | null> {
  const [row] = await db.query<{ value: T }>(SELECT, [name]);
  return row?.value ?? null;
}

export async function writeSetting(db: Queryable, name: string, value: unknown): Promise<void> {
  await db.query(UPSERT, [name, JSON.stringify(value)]);
}

/** Writes it where there is none. */
export async function addSetting(db: Queryable, name: string, value: unknown): Promise<void> {
  await db.query(INSERT, [name, JSON.stringify(value)]);
}
