/**
 * What could not be written to the database is appended here, one JSON line each, and replayed when the database is back. Survives kill -9: a
 * line is on its way to the disk before the call goes on. Replaying twice is harmless: a call opens once under its key, events fold idempotently.
 * Callers are sealed.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { AppError } from "../kernel/errors.js";

/** About a million calls; beyond it the disk is in danger, and the log is loud. */
export const SPOOL_BYTES_MAX = 512 * 1024 * 1024;

export class Spool<Entry> {
  private readonly current: string;
  private readonly replaying: string;
  private fd: number | null = null;
  private bytes: number;
  private lines = 0;

  /** @param dir made if missing, mode 0700 */
  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.current = join(dir, "calls.ndjson");
    this.replaying = join(dir, "calls.replaying.ndjson");
    this.bytes = existsSync(this.current) ? statSync(this.current).size : 0;
  }

  get isEmpty(): boolean {
    return this.bytes === 0 && !existsSync(this.replaying);
  }

  /** Lines appended by this process. */
  get appended(): number {
    return this.lines;
  }

  /** Synchronous on purpose: what returns has left the process. @throws AppError("overloaded") when the spool is full */
  append(entry: Entry): void {
    const line = `${JSON.stringify(entry)}\n`;
    if (this.bytes + line.length > SPOOL_BYTES_MAX) throw new AppError("overloaded", "The call spool is full.");
    this.fd ??= openSync(this.current, "a", 0o600);
    appendFileSync(this.fd, line);
    this.bytes += Buffer.byteLength(line);
    this.lines++;
  }

  /**
   * Hands every line to `write`, oldest first. A failure leaves all of it for the next time; only when everything was written is the file removed.
   * @returns how many lines were replayed; unreadable ones (a crash in the middle of a line) are told to `onBroken`
   */
  async replay(write: (entry: Entry) => Promise<void>, onBroken: (line: string) => void): Promise<number> {
    let replayed = await this.replayFile(write, onBroken);
    if (this.bytes === 0) return replayed;
    if (this.fd !== null) {
      fsyncSync(this.fd);
      closeSync(this.fd);
      this.fd = null;
    }
    renameSync(this.current, this.replaying);
    this.bytes = 0;
    replayed += await this.replayFile(write, onBroken);
    return replayed;
  }

  close(): void {
    if (this.fd === null) return;
    fsyncSync(this.fd);
    closeSync(this.fd);
    this.fd = null;
  }

  private async replayFile(write: (entry: Entry) => Promise<void>, onBroken: (line: string) => void): Promise<number> {
    if (!existsSync(this.replaying)) return 0;
    const lines = readFileSync(this.replaying, "utf8").split("\n");
    let replayed = 0;
    for (const line of lines) {
      if (line === "") continue;
      const entry = parse<Entry>(line);
      if (entry === null) onBroken(line);
      else {
        await write(entry);
        replayed++;
      }
    }
    unlinkSync(this.replaying);
    return replayed;
  }
}

function parse<Entry>(line: string): Entry | null {
  try {
    return JSON.parse(line) as Entry;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
