/**
 * Calls as a Parquet file, written as they come: a row group is encoded when it is full, so that memory does not grow with the file but for the
 * footer's entries (one a column and row group). Called by `ringmatch export`.
 */
import { fileWriter, ParquetWriter, type BasicType, type ColumnSource, schemaFromColumnData } from "hyparquet-writer";
import type { CallColumn, ColumnType, ShownCall } from "../http/contract/call-columns.js";

/** A row group of calls is some megabytes; larger ones are read a little faster and take that much more memory to write. */
const ROWS_A_GROUP = 10_000;

const TYPES: Readonly<Record<ColumnType, BasicType>> = {
  text: "STRING",
  integer: "INT64",
  number: "DOUBLE",
  boolean: "BOOLEAN",
  time: "TIMESTAMP",
  json: "STRING",
};

export interface ParquetFile {
  add(shown: ShownCall): void;
  /** Writes what is left and the footer, without which it is no Parquet file. */
  finish(): void;
}

/** @param rowsAGroup tests have fewer calls */
export function createParquetFile(
  path: string,
  columns: readonly CallColumn[],
  rowsAGroup = ROWS_A_GROUP,
): ParquetFile {
  let data: unknown[][] = columns.map(() => []);
  const columnData = (): ColumnSource[] =>
    columns.map(({ name, type }, i) => ({
      name,
      type: TYPES[type],
      data: data[i] as unknown[],
      nullable: true,
      // Offsets of pages are for looking single rows up, and would be kept in memory until the end.
      offsetIndex: false,
    }));
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: schemaFromColumnData({ columnData: columnData() }),
    createdBy: "ringmatch",
  });
  const flush = (): void => {
    if ((data[0]?.length ?? 0) === 0) return;
    void writer.write({ columnData: columnData(), rowGroupSize: rowsAGroup });
    data = columns.map(() => []);
  };
  return {
    add: (shown) => {
      for (const [i, column] of columns.entries()) data[i]?.push(cellOf(column.type, column.valueOf(shown)));
      if ((data[0]?.length ?? 0) === rowsAGroup) flush();
    },
    finish: () => {
      flush();
      void writer.finish();
    },
  };
}

function cellOf(type: ColumnType, value: unknown): unknown {
  if (value === null) return null;
  switch (type) {
    case "integer":
      return BigInt(value as number);
    case "time":
      return new Date(value as string);
    case "text":
      return typeof value === "string" ? value : JSON.stringify(value);
    case "json":
      return JSON.stringify(value);
    case "number":
    case "boolean":
      return value;
  }
}
