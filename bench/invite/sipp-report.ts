/** Reads what sipp's callers wrote down: the statistics (`-trace_stat`) and a line a message (`-trace_shortmsg`). Pure. */

export interface Reading {
  /** Since sipp began to call. */
  readonly atMs: number;
  readonly created: number;
  readonly completed: number;
}

const COLUMNS = { start: "StartTime", now: "CurrentTime", created: "TotalCallCreated", completed: "SuccessfulCall(C)" };

/** One line a reading, counts from the beginning. sipp writes a time as `date TAB time TAB seconds of the epoch`; a line cut off by a kill is left out. */
export function readStatistics(csv: string): Reading[] {
  const [header = "", ...lines] = csv.split("\n");
  const names = header.split(";");
  const column = (name: string): number => {
    const at = names.indexOf(name);
    if (at === -1) throw new Error(`sipp's statistics have no column ${name}: this version of sipp is not known.`);
    return at;
  };
  const { start, now, created, completed } = {
    start: column(COLUMNS.start),
    now: column(COLUMNS.now),
    created: column(COLUMNS.created),
    completed: column(COLUMNS.completed),
  };
  return lines
    .map((line) => line.split(";"))
    .filter((cells) => cells.length >= names.length)
    .map((cells) => ({
      atMs: (secondsOf(cells[now]) - secondsOf(cells[start])) * 1_000,
      created: Number(cells[created]),
      completed: Number(cells[completed]),
    }));
}

function secondsOf(time = ""): number {
  return Number(time.split("\t")[2]);
}

/** A call is placed in time when it is on the first reading after the step's end; readings come four times a second, so a later one says nothing. */
const PLACED_BY_MS_MAX = 500;

export interface CallerCounts {
  /** While the rate was offered. */
  readonly placed: number;
  /** Also later. */
  readonly made: number;
  readonly completed: number;
}

/** @param stepMs how long the rate was offered */
export function countCalls(readings: readonly Reading[], stepMs: number): CallerCounts {
  const after = readings.find(({ atMs }) => atMs >= stepMs);
  const isTimely = after !== undefined && after.atMs <= stepMs + PLACED_BY_MS_MAX;
  const atEnd = isTimely ? after : readings.findLast(({ atMs }) => atMs < stepMs);
  const last = readings.at(-1);
  return { placed: atEnd?.created ?? 0, made: last?.created ?? 0, completed: last?.completed ?? 0 };
}

/** Calls that sipp could not place while the rate was offered, and those that it made but that were not completed. */
export function failedCalls({ calls, placed, made, completed }: CallerCounts & { readonly calls: number }): number {
  return Math.min(calls, calls - placed + (made - completed));
}

/**
 * INVITE sent → 180 received, of each call that rang. Not by sipp's own response times: its timers read the system's coarse clock, which many kernels
 * move on every 4 ms only. `date TAB time TAB seconds of the epoch TAB S or R TAB Call-ID TAB CSeq TAB first line`, one line a message.
 * @returns ms, to the microsecond
 */
export function readPostDialDelays(messages: string): number[] {
  /** By Call-ID; null once it has rung. */
  const sentAt = new Map<string, number | null>();
  const delaysMs: number[] = [];
  for (const line of messages.split("\n")) {
    const [, , seconds, direction, callId = "", , first = ""] = line.split("\t");
    const at = Number(seconds) * 1_000;
    if (direction === "S" && first.startsWith("INVITE ") && !sentAt.has(callId)) sentAt.set(callId, at);
    const sent = sentAt.get(callId) ?? null;
    if (direction !== "R" || !first.startsWith("SIP/2.0 180 ") || sent === null) continue;
    delaysMs.push(at - sent);
    sentAt.set(callId, null);
  }
  return delaysMs;
}
