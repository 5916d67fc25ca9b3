/**
 * The schema as one deterministic text, read from the catalogue: tables, constraints, indexes, triggers, views and functions of `public`, and the views
 * of `reporting`, by name. A test compares a freshly migrated database with the committed schema.sql, so that a migration shows in review as what it does to the whole.
 * Left out: partitions made at run time, and the migration tool's own table.
 */
import { sql, type Queryable } from "./database.js";

const TABLES = sql(
  "schema_tables",
  `select c.oid::int as oid, c.relname as name, pg_get_partkeydef(c.oid) as "partitionKey", array_to_string(c.reloptions, ', ') as options
   from pg_class c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migration'
   order by c.relname`,
);
const COLUMNS = sql(
  "schema_columns",
  `select a.attrelid::int as oid, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as "isNotNull",
     a.attidentity as identity, pg_get_expr(d.adbin, d.adrelid) as "defaultValue"
   from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = any ($1::int[]::oid[]) and a.attnum > 0 and not a.attisdropped order by a.attrelid, a.attnum`,
);
// Since PostgreSQL 18 "not null" is a constraint of its own (n); it stands with its column.
const CONSTRAINTS = sql(
  "schema_constraints",
  `select conrelid::int as oid, conname as name, pg_get_constraintdef(oid) as definition
   from pg_constraint where conrelid = any ($1::int[]::oid[]) and contype <> 'n' order by conrelid, conname`,
);
const INDEXES = sql(
  "schema_indexes",
  `select i.indrelid::int as oid, pg_get_indexdef(i.indexrelid) as definition
   from pg_index i join pg_class c on c.oid = i.indexrelid
   where i.indrelid = any ($1::int[]::oid[]) and not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)
   order by i.indrelid, c.relname`,
);
const TRIGGERS = sql(
  "schema_triggers",
  `select tgrelid::int as oid, pg_get_triggerdef(oid) as definition
   from pg_trigger where tgrelid = any ($1::int[]::oid[]) and not tgisinternal order by tgrelid, tgname`,
);
const DEFAULT_PARTITIONS = sql(
  "schema_default_partitions",
  `select i.inhparent::int as oid, c.relname as name
   from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = any ($1::int[]::oid[]) and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' order by c.relname`,
);
const VIEWS = sql(
  "schema_views",
  `select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as name, pg_get_viewdef(c.oid, 120) as definition
   from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname in ('public', 'reporting') and c.relkind = 'v' order by n.nspname, c.relname`,
);
const FUNCTIONS = sql(
  "schema_functions",
  `select pg_get_functiondef(p.oid) as definition from pg_proc p where p.pronamespace = 'public'::regnamespace
   order by p.proname, pg_get_function_identity_arguments(p.oid)`,
);

interface Table {
  readonly oid: number;
  readonly name: string;
  readonly partitionKey: string | null;
  readonly options: string | null;
}

interface Column {
  readonly oid: number;
  readonly name: string;
  readonly type: string;
  readonly isNotNull: boolean;
  /** "a": generated always, "d": by default, "": none. */
  readonly identity: string;
  readonly defaultValue: string | null;
}

type Named = { readonly oid: number; readonly name: string; readonly definition: string };
type Defined = Omit<Named, "name">;

const HEADER = `-- The whole schema, as migrations/ make it. Written by \`npm run schema\`; never edited by hand, never run.
`;

/** @returns the text of schema.sql */
export async function dumpSchema(db: Queryable): Promise<string> {
  const tables = await db.query<Table>(TABLES);
  const oids = [tables.map((table) => table.oid)];
  const columns = await db.query<Column>(COLUMNS, oids);
  const constraints = await db.query<Named>(CONSTRAINTS, oids);
  const indexes = await db.query<Defined>(INDEXES, oids);
  const triggers = await db.query<Defined>(TRIGGERS, oids);
  const partitions = await db.query<Omit<Named, "definition">>(DEFAULT_PARTITIONS, oids);
  const views = await db.query<Omit<Named, "oid">>(VIEWS);
  const functions = await db.query<{ definition: string }>(FUNCTIONS);
  const parts = tables.map((table) => {
    const own = <T extends { readonly oid: number }>(rows: readonly T[]): T[] =>
      rows.filter((row) => row.oid === table.oid);
    const lines = [
      ...own(columns).map(columnLine),
      ...own(constraints).map((c) => `constraint ${c.name} ${c.definition}`),
    ];
    return [
      `create table ${table.name} (\n  ${lines.join(",\n  ")}\n)${suffixOf(table)};`,
      ...own(partitions).map((partition) => `create table ${partition.name} partition of ${table.name} default;`),
      ...own(indexes).map((index) => `${index.definition};`),
      ...own(triggers).map((trigger) => `${trigger.definition};`),
    ].join("\n");
  });
  return (
    [
      HEADER,
      ...parts,
      ...views.map(({ name, definition }) => `create view ${name} as\n${definition}`),
      ...functions.map(({ definition }) => `${definition.trimEnd()};`),
    ]
      .join("\n\n")
      .replaceAll("\n\n\n", "\n\n") + "\n"
  );
}

function columnLine({ name, type, isNotNull, identity, defaultValue }: Column): string {
  const generated =
    identity === "a" ? " generated always as identity" : identity === "d" ? " generated by default as identity" : "";
  return `${name} ${type}${isNotNull ? " not null" : ""}${defaultValue === null ? "" : ` default ${defaultValue}`}${generated}`;
}

function suffixOf({ partitionKey, options }: Table): string {
  return `${partitionKey === null ? "" : ` partition by ${partitionKey}`}${options === null ? "" : ` with (${options})`}`;
}
