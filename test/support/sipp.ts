/** Runs one sipp scenario of sipp-scenarios/ as a process of its own, on loopback, until its calls are done. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freeUdpPort, untilListening } from "./udp-port.js";

const SCENARIOS = resolve(import.meta.dirname, "../../sipp-scenarios");
/** sipp gives up on a call that does not move. Longer than 64*T1 of RFC 3261, after which a call that nobody acknowledges is ended. */
const TIMEOUT_S = 45;
/** What a scenario says of itself when it counts repeated messages, which sipp hides otherwise. */
const SHOWS_REPEATS = "Run with -nr";

export interface SippRun {
  readonly port: number;
  /** Resolves when sipp has ended; rejects with its messages when a call failed. */
  readonly done: Promise<void>;
  stop(): void;
}

export interface SippOptions {
  readonly scenario: string;
  /** host:port; without it sipp waits for calls. */
  readonly remote?: string;
  readonly service?: string;
  readonly caller?: string;
  readonly calls?: number;
  /** Calls a second. */
  readonly rate?: number;
  readonly transport?: "u1" | "t1";
  /** Replaces the word STATUS in the scenario. */
  readonly status?: number;
  /** Its own; a free one when not given. */
  readonly port?: number;
}

export async function sipp(options: SippOptions): Promise<SippRun> {
  const dir = mkdtempSync(join(tmpdir(), "ringmatch-sipp-"));
  const file = join(dir, "scenario.xml");
  const text = readFileSync(join(SCENARIOS, `${options.scenario}.xml`), "utf8");
  writeFileSync(file, text.replaceAll("STATUS", String(options.status ?? 0)));
  const port = options.port ?? (await freeUdpPort());
  const words = [
    ...(options.remote === undefined ? [] : [options.remote]),
    ...[
      "-sf",
      file,
      "-i",
      "127.0.0.1",
      "-p",
      String(port),
      "-m",
      String(options.calls ?? 1),
      "-r",
      String(options.rate ?? 10),
    ],
    ...[
      "-s",
      options.service ?? "service",
      "-key",
      "caller",
      options.caller ?? "+14155550123",
      "-t",
      options.transport ?? "u1",
    ],
    ...["-timeout", `${TIMEOUT_S}s`, "-timeout_error", "-trace_err", "-nostdin", "-cid_str", `%u-%p-${port}@%s`],
    ...(text.includes(SHOWS_REPEATS) ? ["-nr"] : []),
  ];
  const child = spawn("sipp", words, { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += String(data);
  });
  const done = new Promise<void>((resolveDone, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      const errors = readdirSync(dir)
        .filter((name) => name.endsWith("_errors.log"))
        .map((name) => readFileSync(join(dir, name), "utf8"));
      rmSync(dir, { recursive: true, force: true });
      if (code === 0 || signal !== null) resolveDone();
      else
        reject(
          new Error(
            `sipp ${options.scenario} ended with ${code}\n${errors.join("\n").slice(0, 4000)}\n${stderr.slice(0, 500)}`,
          ),
        );
    });
  });
  // A run nobody waits for any more must not take the test process with it.
  done.catch(() => undefined);
  if (options.remote === undefined) await untilListening(port);
  return { port, done, stop: () => child.kill("SIGKILL") };
}
