/**
 * The unprivileged system user that PostgreSQL runs as when the service runs as root (PostgreSQL refuses root), and running a program as that
 * user. Used by the embedded PostgreSQL only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { AppError, messageOf } from "../kernel/errors.js";

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where to look for programs, and the whole environment they get. */
export interface RunOptions {
  /** A PATH; child processes see nothing else of our environment. */
  readonly searchPath: string;
  /** null: as ourselves. */
  readonly user: ServerUser | null;
  /** Working directory; the root directory unless told, which every user can enter. */
  readonly cwd?: string;
}

/** Debian's and most systems' own name; a PostgreSQL package installed later will use the same one. */
const USUAL_USER = "postgres";
/** The user made where there is none. */
const OWN_USER = "ringmatch-postgres";
/** Programs run here answer within moments; initdb on a slow disk is the longest. */
const RUN_MS_MAX = 120_000;
/** Far more than any of them says. */
const OUTPUT_CHARS_MAX = 64 * 1024;

export const isRoot = (): boolean => process.geteuid?.() === 0;

/**
 * The user `postgres`, or one of our own, made when there is neither.
 * @throws AppError embedded_failed when none can be made
 */
export async function findServerUser(searchPath: string): Promise<ServerUser> {
  const asRoot = { searchPath, user: null };
  for (const name of [USUAL_USER, OWN_USER]) {
    const user = await lookUp(name, asRoot);
    if (user !== null && user.uid !== 0) return user;
  }
  await makeUser(asRoot);
  const made = await lookUp(OWN_USER, asRoot);
  if (made === null) throw noUser(new Error(`${OWN_USER} was made but cannot be looked up`));
  return made;
}

/** Resolves to what the program wrote to its standard output; rejects with its exit code and the end of its standard error. */
export async function run(
  file: string,
  args: readonly string[],
  { searchPath, user, cwd = "/" }: RunOptions,
): Promise<string> {
  // Detached, as the servers are: a Ctrl-C in the first second must not reach a half-done initdb.
  const child = spawn(file, args, {
    cwd,
    env: bareEnvironment(searchPath),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...(user ?? {}),
  });
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-OUTPUT_CHARS_MAX)));
  child.stderr
    .setEncoding("utf8")
    .on("data", (text: string) => (complaint = (complaint + text).slice(-OUTPUT_CHARS_MAX)));
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  const [code, signal] = (await once(child, "close").finally(() => clearTimeout(timer))) as [
    number | null,
    NodeJS.Signals | null,
  ];
  if (code === 0) return output;
  throw new Error(`${file} ended with ${String(signal ?? code)}: ${complaint.trim()}`);
}

/** Ours holds keys, and other users may read the environment of their own processes. */
export function bareEnvironment(searchPath: string): Record<string, string> {
  return { PATH: searchPath, LC_ALL: "C", TZ: "UTC" };
}

/** Whether the user can really pass into (and, if asked, write) a directory: every ancestor's mode, ACLs and mounts have their say. */
export async function canUse(directory: string, rights: "enter" | "write", options: RunOptions): Promise<boolean> {
  try {
    await run("test", ["-x", directory, ...(rights === "write" ? ["-a", "-w", directory] : [])], options);
    return true;
  } catch {
    return false; // `test` exits 1
  }
}

async function lookUp(name: string, options: RunOptions): Promise<ServerUser | null> {
  try {
    const uid = await run("id", ["-u", name], options);
    const gid = await run("id", ["-g", name], options);
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return null; // `id` exits 1 for an unknown name
  }
}

async function makeUser(options: RunOptions): Promise<void> {
  const withSbin = { ...options, searchPath: `${options.searchPath}:/usr/sbin:/sbin` };
  try {
    await run("groupadd", ["--system", "--force", OWN_USER], withSbin);
    await run(
      "useradd",
      [
        "--system",
        "--gid",
        OWN_USER,
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        OWN_USER,
      ],
      withSbin,
    );
  } catch (error) {
    // Another start may have made it meanwhile.
    if ((await lookUp(OWN_USER, options)) === null) throw noUser(error);
  }
}

function noUser(cause: unknown): AppError {
  return new AppError(
    "embedded_failed",
    `PostgreSQL does not run as root and no user could be made for it (${messageOf(cause).split("\n")[0] ?? ""}); make a system user named ${USUAL_USER}, start as an ordinary user, or set DATABASE_URL.`,
    { cause },
  );
}
