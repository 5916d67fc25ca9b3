/**
 * What happens to calls and is not in the database yet, one JSON line each, on the disk for the tenth of a second that it takes: what a process that was
 * killed leaves here is for its next life to write. One journal holds calls that ring and have no record (unwritten-calls.ts), another one what happened
 * to calls (event-journal.ts). Two files in turn: one is emptied when all of it is written, while the other takes what comes.
 * Survives kill -9, as the spool does: a line that was appended is on its way to the disk.
 */
import {
  appendFile,
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const appendTo = promisify(appendFile);

/** From here on the other file takes what comes, as soon as it is empty. */
const FILE_BYTES = 256 * 1024;

/** A file of the journal, and how much of it is still to be written to the database. */
export interface JournalFile {
  readonly path: string;
  fd: number | null;
  bytes: number;
  unwritten: number;
}

export class CallJournal<Entry> {
  private current: JournalFile;
  private other: JournalFile;

  /**
   * @param dir made if missing, mode 0700
   * @param onLeft told of each file that a former life left, to be taken away
   * @param holds what its files are named after
   */
  constructor(dir: string, onLeft: (path: string) => void, holds: "ringing" | "events" = "ringing") {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const [current, other] = [0, 1].map((n) => join(dir, `calls.${holds}-${n}.ndjson`));
    for (const path of [current, other] as string[]) if (existsSync(path) && statSync(path).size > 0) onLeft(path);
    this.current = { path: current as string, fd: null, bytes: 0, unwritten: 0 };
    this.other = { path: other as string, fd: null, bytes: 0, unwritten: 0 };
  }

  /**
   * Synchronous on purpose: what returns has left the process.
   * @returns where the entries are, to be told when they are written
   * @throws what the disk says; none of them is kept then
   */
  append(entries: readonly Entry[]): JournalFile {
    const { file, fd, lines } = this.begin(entries);
    try {
      appendFileSync(fd, lines);
    } catch (error) {
      takeBack(file, fd);
      throw error;
    }
    file.bytes += lines.length;
    file.unwritten += entries.length;
    return file;
  }

  /** As `append`, for what nobody waits for: a busy disk holds up no other call. Not while another one is under way. @throws as append does */
  async appendBehind(entries: readonly Entry[]): Promise<JournalFile> {
    const { file, fd, lines } = this.begin(entries);
    // One more: the file is not emptied while it is written to.
    file.unwritten += entries.length + 1;
    try {
      await appendTo(fd, lines);
      file.bytes += lines.length;
    } catch (error) {
      file.unwritten -= entries.length;
      takeBack(file, fd);
      throw error;
    } finally {
      this.written(file, 1);
    }
    return file;
  }

  /** That many entries of the file are in the database, or in the spool. */
  written(file: JournalFile, entries: number): void {
    file.unwritten -= entries;
    if (file.unwritten > 0 || file.fd === null) return;
    ftruncateSync(file.fd, 0);
    file.bytes = 0;
  }

  /** What is not written stays for the next life. */
  close(): void {
    for (const file of [this.current, this.other]) {
      if (file.fd === null) continue;
      closeSync(file.fd);
      file.fd = null;
      if (file.unwritten === 0) rmSync(file.path, { force: true });
    }
  }

  private begin(entries: readonly Entry[]): { file: JournalFile; fd: number; lines: Buffer } {
    if (this.current.bytes >= FILE_BYTES && this.other.unwritten === 0)
      [this.current, this.other] = [this.other, this.current];
    const file = this.current;
    file.fd ??= openSync(file.path, "a", 0o600);
    return { file, fd: file.fd, lines: Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")) };
  }
}

/** A full disk may have taken a part. */
function takeBack(file: JournalFile, fd: number): void {
  ftruncateSync(fd, file.bytes);
}
