/** Every file of the tag that this service ever served, kept for ever: pages pin them by hash. */
import { sql, type Queryable } from "../db/database.js";
import type { TagFile } from "./tag-file.js";

/** What pages need to name one. */
export type TagFileName = Pick<TagFile, "name" | "version" | "integrity">;

const COLUMNS = `name, version, script, content, integrity`;
const INSERT = sql(
  "tag_file_insert",
  `insert into tag_file (name, version, script, content, integrity) values ($1, $2, $3, $4, $5) on conflict (name) do nothing`,
);
const SELECT_ONE = sql("tag_file_select_one", `select ${COLUMNS} from tag_file where name = $1`);
const SELECT_OF_VERSION = sql(
  "tag_file_select_of_version",
  `select ${COLUMNS} from tag_file where version = $1 order by published_at desc, name limit 1`,
);
const SELECT_NEWEST = sql(
  "tag_file_select_newest",
  `select name, version, integrity from tag_file order by published_at desc, name limit $1`,
);

/** At each start; any number of processes may. A file that is there stays as it is. */
export async function publishTagFile(db: Queryable, file: TagFile): Promise<void> {
  const { name, version, script, content, integrity } = file;
  await db.query(INSERT, [name, version, script, content, integrity]);
}

export async function findTagFile(db: Queryable, name: string): Promise<TagFile | null> {
  const [file] = await db.query<TagFile>(SELECT_ONE, [name]);
  return file ?? null;
}

/** The newest build of a version; null: none was ever published here. */
export async function findTagFileOfVersion(db: Queryable, version: string): Promise<TagFile | null> {
  const [file] = await db.query<TagFile>(SELECT_OF_VERSION, [version]);
  return file ?? null;
}

/** Newest first. */
export async function listTagFiles(db: Queryable, limit: number): Promise<TagFileName[]> {
  return db.query<TagFileName>(SELECT_NEWEST, [limit]);
}
