/**
 * A strict reader of CSV (RFC 4180) from a stream of text, a record at a time, so that a file of any size needs little memory. Quoted fields, doubled
 * quotes, line breaks inside quotes, LF, CRLF, a byte order mark; the separator is that of the first line: comma, semicolon or tab.
 */
import { AppError } from "../kernel/errors.js";

export interface CsvRecord {
  /** Of its first character, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** A longer record is no list of numbers: most likely a quote was never closed. */
const RECORD_CHARS_MAX = 65_536;
const SEPARATORS = [",", ";", "\t"];

/** Empty lines are passed over. @throws AppError("invalid_value") naming the line: what follows it cannot be trusted */
export async function* readCsv(chunks: AsyncIterable<string>): AsyncGenerator<CsvRecord> {
  const reader = new CsvReader();
  for await (const chunk of chunks) {
    for (const char of chunk) {
      const record = reader.take(char);
      if (record !== null) yield record;
    }
  }
  const last = reader.end();
  if (last !== null) yield last;
}

class CsvReader {
  private separator: string | null = null;
  private line = 1;
  private recordLine = 1;
  private cells: string[] = [];
  private cell = "";
  private chars = 0;
  /** bare: outside of quotes · quoted: inside · closed: after the closing quote, or between two that stand for one. */
  private mode: "bare" | "quoted" | "closed" = "bare";
  private isFirst = true;

  take(char: string): CsvRecord | null {
    if (this.isFirst) {
      this.isFirst = false;
      if (char === "\ufeff") return null;
    }
    if (++this.chars > RECORD_CHARS_MAX) throw this.broken("is longer than any record; is a quote not closed?");
    if (char === "\n") this.line++;
    if (this.mode === "quoted") {
      if (char === '"') this.mode = "closed";
      else this.cell += char;
      return null;
    }
    if (char === "\n") return this.endRecord();
    // Only as part of a line's end; a lone one is told apart by nobody.
    if (char === "\r") return null;
    if (this.isSeparator(char)) return this.endCell();
    if (this.mode === "closed") {
      if (char !== '"') throw this.broken("has text after a closing quote");
      this.mode = "quoted";
      this.cell += '"';
      return null;
    }
    if (char === '"') {
      if (this.cell !== "") throw this.broken("has a quote inside an unquoted field");
      this.mode = "quoted";
      return null;
    }
    this.cell += char;
    return null;
  }

  end(): CsvRecord | null {
    if (this.mode === "quoted") throw this.broken("has a quote that is never closed");
    return this.endRecord();
  }

  private isSeparator(char: string): boolean {
    if (this.separator === null && SEPARATORS.includes(char)) this.separator = char;
    return char === this.separator;
  }

  private endCell(): null {
    this.cells.push(this.cell.trim());
    this.cell = "";
    this.mode = "bare";
    return null;
  }

  private endRecord(): CsvRecord | null {
    this.endCell();
    const record = { line: this.recordLine, cells: this.cells };
    this.cells = [];
    this.chars = 0;
    this.recordLine = this.line;
    return record.cells.every((cell) => cell === "") ? null : record;
  }

  private broken(what: string): AppError {
    return new AppError("invalid_value", `Line ${this.recordLine} ${what}. Nothing after it was read.`);
  }
}
