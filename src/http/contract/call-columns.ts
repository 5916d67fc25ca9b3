/**
 * A call record as one line of a table, for CSV and Parquet: a column for each leaf of the record as the API shows it, in its order, named by its path
 * (`attribution.outcome`), and one for each touch and custom data field that the export has (`attribution.touch.utm_source`). Generated from the wire
 * shape, so that no field of the record can be forgotten. Lists are JSON.
 */
import type { z } from "zod";
import type { FieldNames } from "../../attribution/exports/call-field-names.store.js";
import { callOut } from "./call.js";

export type ColumnType = "text" | "integer" | "number" | "boolean" | "time" | "json";

export interface CallColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** null: the record says nothing. @param shown a call as the API shows it */
  valueOf(shown: ShownCall): unknown;
}

export type ShownCall = z.output<typeof callOut>;

/** A table with more columns is no use to anybody, and a spreadsheet has an end; fields beyond it stand together in the last column. */
export const FIELD_COLUMNS_MAX = 200;
/** The last column: what has no column of its own, as JSON; null when there is nothing. */
export const OTHER_COLUMN = "other";

/** Records with fields of the customer's own, by the end of their path. */
const FIELDS_OF: Readonly<Record<string, keyof FieldNames>> = {
  touch: "touch",
  custom_data: "customData",
  first_touch: "firstTouch",
};

/** @param names the fields that occur; @param fieldsMax tests have fewer */
export function callColumns(names: FieldNames, fieldsMax = FIELD_COLUMNS_MAX): readonly CallColumn[] {
  let room = fieldsMax;
  const open: { path: readonly string[]; named: ReadonlySet<string> }[] = [];
  const columns = leavesOf(callOut, []).flatMap(({ path, type }): CallColumn[] => {
    const kind = type === "record" ? FIELDS_OF[path.at(-1) ?? ""] : undefined;
    if (kind === undefined) return [columnOf(path, type === "record" ? "json" : type)];
    const named = names[kind].slice(0, room);
    room -= named.length;
    open.push({ path, named: new Set(named) });
    return named.map((name) => columnOf([...path, name], "text"));
  });
  return [...columns, otherColumn(open)];
}

function columnOf(path: readonly string[], type: ColumnType): CallColumn {
  return { name: path.join("."), type, valueOf: (shown) => at(shown, path) };
}

function otherColumn(open: readonly { path: readonly string[]; named: ReadonlySet<string> }[]): CallColumn {
  return {
    name: OTHER_COLUMN,
    type: "json",
    valueOf: (shown) => {
      const rest = open.flatMap(({ path, named }) =>
        Object.entries((at(shown, path) ?? {}) as Record<string, unknown>)
          .filter(([name]) => !named.has(name))
          .map(([name, value]) => [[...path, name].join("."), value] as const),
      );
      return rest.length === 0 ? null : Object.fromEntries(rest);
    },
  };
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, name)) return null;
    found = (found as Record<string, unknown>)[name];
  }
  return found ?? null;
}

interface Leaf {
  readonly path: readonly string[];
  readonly type: ColumnType | "record";
}

/** What zod keeps of a schema, as far as it is needed here. */
interface SchemaNode {
  readonly def: { readonly type: string; readonly format?: string; readonly innerType?: unknown };
  readonly shape?: Readonly<Record<string, unknown>>;
}

/** Every leaf of an object's shape, depth first. */
export function leavesOf(schema: unknown, path: readonly string[]): Leaf[] {
  const { def, shape } = schema as SchemaNode;
  switch (def.type) {
    case "object":
      return Object.entries(shape ?? {}).flatMap(([name, inner]) => leavesOf(inner, [...path, name]));
    case "nullable":
    case "optional":
      return leavesOf(def.innerType, path);
    case "record":
      return [{ path, type: "record" }];
    case "boolean":
      return [{ path, type: "boolean" }];
    case "number":
      return [{ path, type: def.format === "safeint" || def.format === "int32" ? "integer" : "number" }];
    case "string":
      return [{ path, type: def.format === "datetime" ? "time" : "text" }];
    case "enum":
    case "literal":
      return [{ path, type: "text" }];
    default:
      return [{ path, type: "json" }];
  }
}
