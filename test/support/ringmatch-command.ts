/** `npx ringmatch …` of the built service, as a process of its own with nothing of our environment but PATH. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";

export const RINGMATCH = resolve(import.meta.dirname, "../../bin/ringmatch.js");

interface Run {
  readonly words: readonly string[];
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function runRingmatch({ words, dataDir, env: more = {} }: Run): Promise<{
  code: number;
  stdout: string;
  stderr: string;
}> {
  const env = { PATH: process.env["PATH"] ?? "", RINGMATCH_DATA_DIR: dataDir, ...more };
  return new Promise((resolveRun) => {
    execFile(process.execPath, [RINGMATCH, ...words], { env }, (error, stdout, stderr) => {
      resolveRun({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}
