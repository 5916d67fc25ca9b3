/**
 * Where the embedded PostgreSQL keeps its data and who owns it. An ordinary user's lies in the data directory. Root's belongs to an unprivileged
 * user, who must be able to reach it: in the data directory when this start made that and it can be passed (its group then may enter it, nothing
 * more), else below the system directory under a random id that the data directory remembers. A fresh data directory therefore never finds old
 * data, and no permission above the data directory is touched. Used by the embedded PostgreSQL.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import type { DataDir } from "./data-dir.js";
import { readIfThere, writeDurably } from "./durable-file.js";
import { canUse, findServerUser, isRoot, type ServerUser } from "./server-user.js";

export interface PostgresPlace {
  /** A directory of the server's user, mode 0700, for its data and what initdb makes on the way. */
  readonly home: string;
  /** null: the service's own user. */
  readonly user: ServerUser | null;
}

export interface PlaceRequest {
  readonly dataDir: DataDir;
  /** Root only: where data goes that cannot lie in the data directory. */
  readonly systemDir: string;
  readonly searchPath: string;
  readonly random: Random;
  readonly log: Log;
}

/** Kept in the data directory when the data lies elsewhere. */
interface PlaceRecord {
  readonly id: string;
  readonly home: string;
}

/** @throws AppError embedded_failed when existing data cannot be used from here */
export async function placePostgres(request: PlaceRequest): Promise<PostgresPlace> {
  const { dataDir } = request;
  const inside = join(dataDir.path, "postgres");
  const record = readRecord(dataDir);
  if (!isRoot()) return placeAsOrdinaryUser(inside, record);
  if (record !== null) return useRecorded(request, record);
  const owner = statSync(inside, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return useInside(request, inside, { uid: owner.uid, gid: owner.gid });
  const user = await findServerUser(request.searchPath);
  return (await makeInside(request, inside, user)) ?? makeOutside(request, user);
}

/** Where the data itself lies; absent until initdb has finished. */
export const dataOf = (place: Pick<PostgresPlace, "home">): string => join(place.home, "data");

/** Where a service that holds the data directory has its database; null when what is recorded belongs to another directory, which this one is a copy of. */
export function findPlace(dataDir: string): Pick<PostgresPlace, "home"> | null {
  const record = readRecord({ path: dataDir });
  if (record === null) return { home: join(dataDir, "postgres") };
  return readOwner(record) === dataDir ? { home: record.home } : null;
}

function placeAsOrdinaryUser(inside: string, record: PlaceRecord | null): PostgresPlace {
  if (record !== null) {
    throw new AppError(
      "embedded_failed",
      `The database of this data directory was made by root and lies in ${record.home}; start as root, or set RINGMATCH_DATA_DIR to another directory.`,
    );
  }
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  return { home: inside, user: null };
}

/** Data that an earlier start, or an ordinary user before root, put into the data directory. */
async function useInside({ searchPath }: PlaceRequest, inside: string, user: ServerUser): Promise<PostgresPlace> {
  if (await canUse(inside, "write", { searchPath, user })) return { home: inside, user };
  throw new AppError(
    "embedded_failed",
    `The database in ${inside} belongs to user id ${String(user.uid)}, who cannot reach it there; move the data directory back to where it was made, or set RINGMATCH_DATA_DIR to another one.`,
  );
}

/** null when the user cannot reach the data directory, or its permissions are not ours to set. */
async function makeInside(
  { dataDir, searchPath, log }: PlaceRequest,
  inside: string,
  user: ServerUser,
): Promise<PostgresPlace | null> {
  if (!dataDir.created || !(await canUse(join(dataDir.path, ".."), "enter", { searchPath, user }))) return null;
  try {
    chownSync(dataDir.path, 0, user.gid);
    chmodSync(dataDir.path, 0o710);
    makeHome(inside, user);
    if (await canUse(inside, "write", { searchPath, user })) return { home: inside, user };
  } catch (error) {
    log.debug("postgres.not_placed_inside", { reason: messageOf(error) }); // a file system without owners, say
  }
  rmSync(inside, { recursive: true, force: true });
  chmodSync(dataDir.path, 0o700);
  return null;
}

function makeOutside({ dataDir, systemDir, random, log }: PlaceRequest, user: ServerUser): PostgresPlace {
  const id = random.bytes(16).toString("hex");
  const record: PlaceRecord = { id, home: join(systemDir, id, "postgres") };
  makeOpenDirectory(systemDir);
  makeOpenDirectory(join(systemDir, id));
  writeDurably(ownerFileOf(record), JSON.stringify({ dataDir: dataDir.path }));
  makeHome(record.home, user);
  writeDurably(recordFileOf(dataDir.path), JSON.stringify(record));
  log.info("postgres.placed", { home: record.home, dataDir: dataDir.path });
  return { home: record.home, user };
}

function useRecorded(request: PlaceRequest, record: PlaceRecord): PostgresPlace {
  const { dataDir } = request;
  const owner = statSync(record.home, { throwIfNoEntry: false });
  const belongsTo = readOwner(record);
  if (owner === undefined || belongsTo === null) {
    throw new AppError(
      "embedded_failed",
      `The database of this data directory is missing: ${record.home} is not there; restore it, or delete ${recordFileOf(dataDir.path)} to start with an empty database.`,
    );
  }
  if (belongsTo !== dataDir.path) {
    if (readRecord({ path: belongsTo })?.id === record.id) {
      throw new AppError(
        "embedded_failed",
        `${dataDir.path} is a copy of ${belongsTo}, which the database in ${record.home} belongs to; delete ${recordFileOf(dataDir.path)} to start the copy with an empty database.`,
      );
    }
    writeDurably(ownerFileOf(record), JSON.stringify({ dataDir: dataDir.path })); // the data directory was moved
  }
  return { home: record.home, user: { uid: owner.uid, gid: owner.gid } };
}

const recordFileOf = (dataDir: string): string => join(dataDir, "postgres-place.json");
const ownerFileOf = (record: PlaceRecord): string => join(record.home, "..", "owner.json");

function readRecord({ path }: Pick<DataDir, "path">): PlaceRecord | null {
  const text = readIfThere(recordFileOf(path));
  return text === null ? null : parse<PlaceRecord>(text, recordFileOf(path));
}

function readOwner(record: PlaceRecord): string | null {
  const text = readIfThere(ownerFileOf(record));
  return text === null ? null : parse<{ dataDir: string }>(text, ownerFileOf(record)).dataDir;
}

function parse<T>(text: string, file: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new AppError("embedded_failed", `${file} is damaged; restore it from a backup.`, { cause });
  }
}

function makeHome(home: string, user: ServerUser): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chownSync(home, user.uid, user.gid);
}

/** To pass, not to list: 0711 whatever the umask. Left alone when it is there already. */
function makeOpenDirectory(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o711);
}
