/**
 * The files of `ringmatch fallback export`: one a number, `<digits>.<xml|json>`, in a folder for each carrier, for any web server to serve. A file is replaced
 * at once, so that nobody is served half of one; what does not bear such a name was put there by somebody else and is left alone.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { flushDirectory, readIfThere } from "../dev/durable-file.js";
import type { Instant } from "../kernel/clock.js";
import type { E164 } from "../telephony/e164.js";

/** For a web server that runs as somebody else. */
const FILE_MODE = 0o644;
const OURS = /^\d{7,15}\.(?:xml|json)$/;
/** What an export that died was writing. */
const ASIDE = /^\.\d{7,15}\.(?:xml|json)\.\d+\.tmp$/;
/** An export that runs beside this one is not disturbed: no file takes so long. */
const ASIDE_AGE_MS = 60 * 60 * 1000;

export interface FileTally {
  readonly written: number;
  readonly unchanged: number;
  readonly removed: number;
}

export class FallbackFolder {
  private readonly names = new Set<string>();
  private written = 0;
  private unchanged = 0;

  /** @param path made when the first file is put into it */
  constructor(private readonly path: string) {}

  put(number: E164, document: { readonly text: string; readonly contentType: string }): void {
    const { text, contentType } = document;
    const name = `${number.slice(1)}.${contentType.includes("json") ? "json" : "xml"}`;
    if (this.names.size === 0) mkdirSync(this.path, { recursive: true });
    this.names.add(name);
    if (readIfThere(join(this.path, name)) === text) {
      this.unchanged++;
      return;
    }
    this.replace(name, text);
    this.written++;
  }

  /** Removes the files of numbers that were not put. Call when every number was. */
  finish(now: Instant): FileTally {
    let removed = 0;
    for (const entry of this.entries()) {
      const { name } = entry;
      const path = join(this.path, name);
      const isStale = OURS.test(name) && !this.names.has(name);
      if (isStale) removed++;
      if (isStale || (ASIDE.test(name) && statSync(path).mtimeMs < now - ASIDE_AGE_MS)) rmSync(path);
    }
    if (this.written + removed > 0) flushDirectory(this.path);
    return { written: this.written, unchanged: this.unchanged, removed };
  }

  private entries() {
    try {
      return readdirSync(this.path, { withFileTypes: true }).filter((entry) => entry.isFile());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  private replace(name: string, text: string): void {
    const aside = join(this.path, `.${name}.${String(process.pid)}.tmp`);
    const file = openSync(aside, "w", FILE_MODE);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, join(this.path, name));
  }
}
