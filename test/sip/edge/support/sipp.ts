/** Runs the real sipp with one of its built-in scenarios on loopback; ended after the test by its own process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freeUdpPort, untilListening } from "../../../support/udp-port.js";

export interface SippRun {
  readonly port: number;
  /** Resolves with sipp's exit code: 0 when every call went as the scenario says. */
  readonly done: Promise<{ code: number | null; output: string }>;
}

export async function sipp(scenario: "uac" | "uas", args: readonly string[]): Promise<SippRun> {
  const port = await freeUdpPort();
  const folder = mkdtempSync(join(tmpdir(), "sipp-"));
  // No -mp: sipp then looks for two free media ports by itself; given one, it gives up where it or the second after it is taken.
  const child = spawn(
    "sipp",
    [
      "-sn",
      scenario,
      "-i",
      "127.0.0.1",
      "-p",
      String(port),
      "-nostdin",
      "-trace_err",
      "-error_file",
      "errors.log",
      ...args,
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => (output = (output + data.toString()).slice(-4_000)));
  const done = once(child, "exit").then(([code]) => ({ code: code as number | null, output }));
  onTestFinished(async () => {
    if (child.exitCode === null) child.kill("SIGKILL");
    await done;
    rmSync(folder, { recursive: true, force: true });
  });
  if (scenario === "uas") await untilListening(port);
  return { port, done };
}
