/**
 * One immutable file of the browser tag: its name, its bytes, and the hash that pages pin it by. Pure. The bytes of a published file never change, so what
 * is written around the function here is for files that are yet to come; published ones are kept whole (tag-files.store.ts).
 */
import { createHash } from "node:crypto";

/** What the build made (scripts/build-tag.mjs): a function expression. */
export interface TagScript {
  /** Of the package, e.g. 0.1.0. */
  readonly version: string;
  readonly text: string;
}

export interface TagFile {
  /** `<version>-<hash>`; served as `/tag/<name>.js`. */
  readonly name: string;
  readonly version: string;
  /** The function alone, for `/tag.js`. */
  readonly script: string;
  /** The file: the function, called without a configuration, which it then asks for. */
  readonly content: string;
  /** W3C Subresource Integrity, section 3.1: `sha384-` and the base 64 of the hash of the bytes as served. */
  readonly integrity: string;
}

/** 48 bits of the hash: tells the builds of one version apart. Whoever must be sure compares the integrity. */
const NAME_HASH_CHARS = 12;

export const TAG_FILE_NAME_PATTERN = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}-[0-9a-f]{12}$/;

/**
 * V8 from Chrome 136 on (explicit compile hints; a comment to all others; only as the first line): compiles everything at once. Nearly everything runs at
 * once, and function by function takes longer.
 */
const COMPILED_AT_ONCE = "//# allFunctionsCalledOnLoad\n";

/** @param config JSON that is safe in a script; the immutable file has none */
export function tagCall(script: string, config = ""): string {
  return `${COMPILED_AT_ONCE}!${script}(${config});\n`;
}

export function tagFileOf({ version, text }: TagScript): TagFile {
  const content = tagCall(text);
  const hash = createHash("sha384").update(content).digest();
  const name = `${version}-${hash.toString("hex").slice(0, NAME_HASH_CHARS)}`;
  return { name, version, script: text, content, integrity: `sha384-${hash.toString("base64")}` };
}
