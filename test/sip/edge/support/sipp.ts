/** Runs the real sipp with one of its built-in scenarios on loopback; ended after the test by its own process. */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface SippRun {
  readonly port: number;
  /** Resolves with sipp's exit code: 0 when every call went as the scenario says. */
  readonly done: Promise<{ code: number | null; output: string }>;
}

export async function sipp(scenario: "uac" | "uas", args: readonly string[]): Promise<SippRun> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "sipp-"));
  const media = await freePort();
  const child = spawn(
    "sipp",
    [
      "-sn",
      scenario,
      "-i",
      "127.0.0.1",
      "-p",
      String(port),
      "-mp",
      String(media),
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
  return { port, done };
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
