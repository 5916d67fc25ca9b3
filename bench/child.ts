/** A node process of ours that is measured: started with the flags of `npm start`, ready when a line of its output says so, stopped by its pid alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** Both sides get the same; the service turns pretenuring off by itself (service/lean-heap.ts). */
const NODE_FLAGS = ["--enable-source-maps", "--max-semi-space-size=16", "--no-allocation-site-pretenuring"];
/** initdb on a busy machine, and the demonstration. */
const READY_MS_MAX = 120_000;
/** A service drains its calls for 10 s, then stops PostgreSQL with a checkpoint. */
const STOP_MS_MAX = 90_000;
const LOG_TAIL_CHARS = 2_000;

export interface MeasuredProcess<T> {
  readonly pid: number;
  readonly ready: T;
  isRunning(): boolean;
  /** False when it had to be killed. */
  stop(): Promise<boolean>;
}

export interface MeasuredProgram<T> {
  readonly file: string;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** What the line says when it is the one that is waited for. */
  readonly readReady: (line: Record<string, unknown>) => T | null;
}

/** @throws Error with the end of its log when it does not get ready */
export async function startMeasured<T>(program: MeasuredProgram<T>): Promise<MeasuredProcess<T>> {
  const { file, words, env, logFile } = program;
  const log = openSync(logFile, "a");
  // A group of its own: Ctrl-C reaches it once, through us.
  const child = spawn(process.execPath, [...NODE_FLAGS, file, ...words], {
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/", ...env },
    stdio: ["ignore", "pipe", log],
    detached: true,
  });
  closeSync(log);
  const ready = await readyLine(child, program.readReady);
  if (ready === null || child.pid === undefined) {
    await stop(child);
    throw new Error(`${file} did not get ready.\n${readFileSync(logFile, "utf8").slice(-LOG_TAIL_CHARS)}`);
  }
  return { pid: child.pid, ready, isRunning: () => isRunning(child), stop: () => stop(child) };
}

async function readyLine<T>(child: ChildProcess, readReady: MeasuredProgram<T>["readReady"]): Promise<T | null> {
  const timer = setTimeout(() => child.kill("SIGTERM"), READY_MS_MAX);
  try {
    return await new Promise<T | null>((found) => {
      child.once("exit", () => found(null));
      child.once("error", () => found(null));
      if (child.stdout === null) return;
      // Read to the end, so that the process never waits for us.
      createInterface({ input: child.stdout }).on("line", (line) => {
        const ready = line.startsWith("{") && line.endsWith("}") ? readReady(JSON.parse(line)) : null;
        if (ready !== null) found(ready);
      });
    });
  } finally {
    clearTimeout(timer);
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function stop(child: ChildProcess): Promise<boolean> {
  if (!isRunning(child)) return true;
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
  return child.signalCode !== "SIGKILL";
}
