/**
 * A process named by pid and start time together: a pid alone may belong to a stranger by the time it is signalled. Used by the data
 * directory's lock and by the embedded servers. The rule kept here: no signal leaves without the start time being compared first.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../kernel/clock.js";

/** `startedAt` is opaque: boot id and start tick on Linux, the start date of `ps` elsewhere. Compare it, never parse it. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

/** One rung of a shutdown: the signal, and how long the process may take over it before the next rung. */
export interface EndStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/** A process that ends does so without telling a stranger, so its end is looked for: often on Linux (one small read), less often where `ps` runs. */
const END_POLL_MS = process.platform === "linux" ? 10 : 100;

/** The identity of a running process, null when there is none (a zombie counts as none: it holds no file and no socket any more). */
export function identityOf(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  const startedAt = process.platform === "linux" ? linuxProcess(pid)?.startedAt : psStartedAt(pid);
  return startedAt === undefined || startedAt === null ? null : { pid, startedAt };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.startedAt === identity.startedAt;
}

/** Sends each step's signal in turn until the process is gone. Resolves to false when it outlived the last step. */
export async function endProcess(identity: ProcessIdentity, steps: readonly EndStep[], clock: Clock): Promise<boolean> {
  for (const step of steps) {
    if (!signalProcess(identity, step.signal)) return true;
    if (await waitForEnd(identity, step.waitMs, clock)) return true;
  }
  return !isAlive(identity);
}

/** Resolves to true as soon as the process is gone, to false after `waitMs`. */
export async function waitForEnd(identity: ProcessIdentity, waitMs: number, clock: Clock): Promise<boolean> {
  const until = clock.monotonicMs() + waitMs;
  while (isAlive(identity)) {
    if (clock.monotonicMs() >= until) return false;
    await delay(END_POLL_MS);
  }
  return true;
}

export interface FoundProcess extends ProcessIdentity {
  readonly parentPid: number;
}

/**
 * Linux: the processes called one of `names` (the kernel's name, at most 15 bytes) whose working directory is `directory` or below it.
 * Empty elsewhere. A server runs in its own data directory, so this finds it even when nothing was recorded about it. Where the working
 * directory may not be read (root in a container without CAP_SYS_PTRACE), the directory must be an argument of its command line.
 */
export function processesWorkingIn(directory: string, names: readonly string[]): FoundProcess[] {
  if (process.platform !== "linux") return [];
  const found: FoundProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    const running = linuxProcess(pid);
    if (running === null || !names.includes(running.name)) continue;
    if (worksIn(pid, directory)) found.push({ pid, startedAt: running.startedAt, parentPid: running.parentPid });
  }
  return found;
}

/** Elsewhere than Linux: the command line of a process as `ps` shows it, null when it is gone. */
export function commandOf(pid: number): string | null {
  return ps(["-o", "command=", "-p", String(pid)]);
}

/** False when the process is gone already. */
function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** proc(5): /proc/<pid>/stat is `pid (name) state …`, field 22 the start tick since boot; the name may hold spaces and brackets itself. */
function linuxProcess(
  pid: number,
): { readonly name: string; readonly startedAt: string; readonly parentPid: number } | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, "latin1");
  } catch {
    return null; // no such process, or it ended while being read
  }
  const nameEnd = stat.lastIndexOf(")");
  const fields = stat.slice(nameEnd + 2).split(" "); // from field 3 on
  const [state, parentPid] = fields;
  const startTick = fields[22 - 3];
  if (state === "Z" || state === "X" || startTick === undefined) return null;
  return {
    name: stat.slice(stat.indexOf("(") + 1, nameEnd),
    startedAt: `${bootId()}:${startTick}`,
    parentPid: Number(parentPid),
  };
}

let knownBootId: string | null = null;

/** Start ticks count from boot, so after a reboot the same pid could have the same tick: the boot is part of the name. */
function bootId(): string {
  knownBootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return knownBootId;
}

function worksIn(pid: number, directory: string): boolean {
  try {
    const where = readlinkSync(`/proc/${String(pid)}/cwd`);
    return where === directory || where.startsWith(`${directory}/`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") return false; // it ended meanwhile
  }
  return commandLine(pid).some((argument) => argument === directory || argument.startsWith(`${directory}/`));
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, "utf8").split("\0");
  } catch {
    return []; // it ended meanwhile
  }
}

function psStartedAt(pid: number): string | null {
  const line = ps(["-o", "stat=,lstart=", "-p", String(pid)]);
  const match = line === null ? null : /^(\S+)\s+(.+)$/.exec(line);
  if (match === null || match[1]?.startsWith("Z")) return null;
  return match[2] ?? null;
}

function ps(args: readonly string[]): string | null {
  try {
    const output = execFileSync("ps", args, {
      encoding: "utf8",
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    return output.trim() === "" ? null : output.trim();
  } catch {
    return null; // ps exits 1 when there is no such process
  }
}
