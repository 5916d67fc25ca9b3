import { spawnSync } from "node:child_process";
import { afterAll, expect, it } from "vitest";
import { compileSource } from "../support/compiled.js";

const compiled = compileSource(["kernel", "service"]);
afterAll(() => compiled.remove());

function runWith(fault: string) {
  const script = `
    import { createLog } from "./kernel/log.js";
    import { outliveStrayRejections } from "./service/stray-rejections.js";
    outliveStrayRejections(createLog("info"));
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

it("an exception that nobody caught ends it", () => {
  const { status, stdout } = runWith(`setImmediate(() => { throw new Error("half done"); });`);
  expect({ isOver: status !== 0, stdout }).toEqual({ isOver: true, stdout: "" });
});
