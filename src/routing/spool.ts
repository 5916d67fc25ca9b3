/**
 * What could not be written to the database is appended here, one JSON line each, and replayed when the database is back. Survives kill -9: a
 * line is on its way to the disk before the call goes on. Replaying twice is harmless: a call opens once under its key, events fold idempotently.
 * Callers are sealed.
 */
import {
  appendFileSync,
  closeSync,
  createReadStream,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
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
  private readonly refused: string;
  private readonly adopted: string[];
  private fd: number | null = null;
  private bytes: number;
  private lines = 0;

  /** @param dir made if missing, mode 0700 */
  constructor(private readonly dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.current = join(dir, "calls.ndjson");
    this.replaying = join(dir, "calls.replaying.ndjson");
    this.refused = join(dir, "calls.refused.ndjson");
    this.bytes = existsSync(this.current) ? statSync(this.current).size : 0;
    const adopted = readdirSync(dir).filter((name) => placeOfAdopted(name) > 0);
    this.adopted = adopted.map((name) => join(dir, name)).sort((a, b) => placeOfAdopted(a) - placeOfAdopted(b));
  }

  get isEmpty(): boolean {
    return this.bytes === 0 && this.adopted.length === 0 && !existsSync(this.replaying);
  }

  /** Takes over a file of lines from a former life; by its name alone, since the disk may be full. They are the oldest. */
  adopt(path: string): void {
    const adopted = join(this.dir, `calls.adopted-${1 + Math.max(0, ...this.adopted.map(placeOfAdopted))}.ndjson`);
    renameSync(path, adopted);
    this.adopted.push(adopted);
  }

  /** Takes over a file of a former life that goes on from what that life spooled: everything spooled until now is replayed before it. At start only. */
  adoptLast(path: string): void {
    for (const own of [this.replaying, this.current]) if (existsSync(own)) this.adopt(own);
    this.bytes = 0;
    this.adopt(path);
  }

  /** Lines appended by this process. */
  get appended(): number {
    return this.lines;
  }

  /** Synchronous on purpose: what returns has left the process. @throws AppError("overloaded") when the spool is full */
  append(entry: Entry): void {
    const line = `${JSON.stringify(entry)}\n`;
    if (this.bytes + line.length > SPOOL_BYTES_MAX) throw new AppError("overloaded", "The call spool is full.");
    this.fd ??= openForAppend(this.current);
    try {
      appendFileSync(this.fd, line);
    } catch (error) {
      // A full disk may have taken half of the line: the next append starts by looking.
      this.closeFile();
      throw error;
    }
    this.bytes += Buffer.byteLength(line);
    this.lines++;
  }

  /** Keeps an entry that can never be written where a person can find it, out of the way of the others. */
  setAside(entry: Entry): void {
    const fd = openForAppend(this.refused);
    try {
      appendFileSync(fd, `${JSON.stringify(entry)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Hands every line to `write`, oldest first, the next one when it resolves; what it then still has under way is waited for by `settle`. A failure
   * leaves all of it for the next time; only when everything was written is the file removed.
   * @returns how many lines were replayed; unreadable ones (a crash in the middle of a line) are told to `onBroken`
   */
  async replay(
    write: (entry: Entry) => Promise<void>,
    onBroken: (line: string) => void,
    settle: () => Promise<void> = () => Promise.resolve(),
  ): Promise<number> {
    let replayed = 0;
    for (let [path] = this.adopted; path !== undefined; [path] = this.adopted) {
      replayed += await replayFile(path, { write, onBroken, settle });
      this.adopted.shift();
    }
    if (existsSync(this.replaying)) replayed += await replayFile(this.replaying, { write, onBroken, settle });
    if (this.bytes === 0) return replayed;
    this.close();
    renameSync(this.current, this.replaying);
    this.bytes = 0;
    return replayed + (await replayFile(this.replaying, { write, onBroken, settle }));
  }

  close(): void {
    if (this.fd === null) return;
    fsyncSync(this.fd);
    this.closeFile();
  }

  private closeFile(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }
}

/** 1, 2, … of a file that was adopted; 0 of any other. */
function placeOfAdopted(path: string): number {
  return Number(/calls\.adopted-(\d+)\.ndjson$/.exec(path)?.[1] ?? 0);
}

interface Replaying<Entry> {
  readonly write: (entry: Entry) => Promise<void>;
  readonly onBroken: (line: string) => void;
  readonly settle: () => Promise<void>;
}

/** Removes the file when all of it is written. */
async function replayFile<Entry>(path: string, { write, onBroken, settle }: Replaying<Entry>): Promise<number> {
  let replayed = 0;
  for await (const line of linesOf(path)) {
    const entry = parse<Entry>(line);
    if (entry === null) onBroken(line);
    else {
      await write(entry);
      replayed++;
    }
  }
  await settle();
  unlinkSync(path);
  return replayed;
}

/** Opens for appending, on a line of its own: a crash or a full disk may have cut the last one short. */
function openForAppend(path: string): number {
  const fd = openSync(path, "a+", 0o600);
  try {
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    if (size > 0) readSync(fd, last, 0, 1, size - 1);
    if (size > 0 && last[0] !== NEWLINE) appendFileSync(fd, "\n");
    return fd;
  } catch (error) {
    // The disk is still full, and every event of every call tries again.
    closeSync(fd);
    throw error;
  }
}

const NEWLINE = 0x0a;

/** Lines by the newline byte alone (readline also cuts at U+2028), a piece at a time: the file may be longer than a string can be. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE)) {
      if (end > 0) yield text.toString("utf8", 0, end);
      text = text.subarray(end + 1);
    }
    rest = Buffer.from(text);
  }
  if (rest.length > 0) yield rest.toString("utf8");
}

function parse<Entry>(line: string): Entry | null {
  try {
    return JSON.parse(line) as Entry;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
