import { spawnSync } from "node:child_process";
import { afterAll, expect, it } from "vitest";
import { compileSource } from "../support/compiled.js";

const compiled = compileSource(["kernel", "service"]);
afterAll(() => compiled.remove());

function runWith(fault: string) {
  const script = `
    import { createLog } from "./kernel/log.js";
    import { endAfterStrayException, outliveStrayRejections } from "./service/stray-faults.js";
    const log = createLog("info");
    outliveStrayRejections(log);
    endAfterStrayException(log, () => setTimeout(() => (console.log("all taken down"), process.exit(1)), 50));
    setTimeout(() => console.log("calls go on"), 20);
    ${fault}`;
  const words = ["--input-type=module", "--eval", script];
  return spawnSync(process.execPath, words, { cwd: compiled.directory, encoding: "utf8" });
}

it("a promise that fails where nobody waits for it is told, and the process goes on", () => {
  const { status, stdout, stderr } = runWith(`Promise.reject(new Error("asked of +14155550123"));`);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "calls go on\n" });
  expect(JSON.parse(stderr)).toMatchObject({
    level: "error",
    event: "service.stray_rejection",
    error: { message: "asked of …0123", stack: expect.stringContaining("at ") },
  });
});

it("an exception that nobody caught is told, and the service taken down once, in good order, whatever fails on the way", () => {
  const fault = `for (const what of ["half done", "and again"]) setImmediate(() => { throw new Error(what); });`;
  const { status, stdout, stderr } = runWith(fault);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "calls go on\nall taken down\n" });
  const lines = stderr.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: "error", event: "service.stray_exception", error: { message: "half done" } },
    { level: "error", event: "service.stray_exception", error: { message: "and again" } },
  ]);
});
