/** A script in a process of its own with one of our modules, compiled: for tests that kill it, take the disk away from it, or set its flags. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { compileSource } from "./compiled.js";

/** As a full disk does, a limit on the size of files (4 KiB) takes half of a line and then nothing. */
export const ON_A_FULL_DISK = ["bash", "-c", `trap "" XFSZ; ulimit -f 4; exec "$0" "$@"`, process.execPath] as const;

export interface CompiledRun {
  /** The module's file below src/, without its ending, e.g. "routing/spool". */
  readonly module: string;
  /** Finds the module in process.argv[1], and `dir`, if given, in process.argv[2]. */
  readonly script: string;
  readonly dir?: string;
  /** What runs node; node itself unless told. */
  readonly command?: readonly string[];
  /** Killed without warning (SIGKILL) when it has written so many characters. */
  readonly killedAfter?: number;
}

/** @returns what it wrote, and the signal that ended it */
export async function runCompiled(run: CompiledRun): Promise<{ stdout: string; signal: NodeJS.Signals | null }> {
  const { module, script, dir = "", command = [process.execPath], killedAfter = Infinity } = run;
  const [room = ""] = module.split("/");
  const compiled = compileSource(["kernel", room]);
  const [program, ...words] = [...command, "--input-type=module", "-e", script];
  const child = spawn(program, [...words, join(compiled.directory, `${module}.js`), dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.on("data", (piece: Buffer) => {
    stdout += piece.toString();
    if (stdout.length >= killedAfter) child.kill("SIGKILL");
  });
  await new Promise((closed) => child.on("close", closed));
  compiled.remove();
  return { stdout, signal: child.signalCode };
}
