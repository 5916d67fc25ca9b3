/** What a process has used so far: CPU time of all its threads (/proc only) and resident memory. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** proc(5) counts in ticks of USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

interface Ticks {
  readonly parentPid: number;
  readonly own: number;
  /** Of children that have ended. */
  readonly ended: number;
}

/** ms of user and system time; null where there is no /proc. */
export function cpuMsOf(pid: number): number | null {
  const ticks = ticksOf(pid);
  return ticks === null ? null : ticks.own * TICK_MS;
}

/** As cpuMsOf, with all children of the process, living and ended: a PostgreSQL with its backends. */
export function cpuMsOfFamily(pid: number): number | null {
  const head = ticksOf(pid);
  if (head === null) return null;
  const children = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ticksOf(Number(entry)))
    .filter((ticks) => ticks?.parentPid === pid);
  return children.reduce((sum, child) => sum + (child?.own ?? 0), head.own + head.ended) * TICK_MS;
}

/** `pid (name) state ppid …`; utime, stime, cutime and cstime are the fields 14 to 17. */
function ticksOf(pid: number): Ticks | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { parentPid: field(4), own: field(14) + field(15), ended: field(16) + field(17) };
}

/** Resident memory in MB. */
export function rssMbOf(pid: number): number {
  const status = readIfThere(`/proc/${pid}/status`);
  const kb =
    status === null
      ? execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })
      : /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
  return Number(kb) / 1024;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null; // no /proc, or the process has ended
  }
}
