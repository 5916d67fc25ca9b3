import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { AppError } from "../../src/kernel/errors.js";
import { createLog, type LogFields } from "../../src/kernel/log.js";

function lineOf(fields: LogFields): string {
  const stream = new PassThrough();
  createLog("debug", stream).info("call.closed", fields);
  return String(stream.read());
}

describe("a log line", () => {
  it("has the event's name, level and ids as fields", () => {
    const line = JSON.parse(lineOf({ callId: "call_1" })) as Record<string, unknown>;
    expect(line).toMatchObject({ callId: "call_1" });
    expect(Object.values(line)).toContain("call.closed");
  });

  it("shows only the last four digits of a caller, in its own field, in errors, their causes' messages and stacks", () => {
    const error = new AppError("internal", "refused INVITE from +14155550123");
    const text = [
      lineOf({ caller: "+14155550123" }),
      lineOf({ from: "<sip:4155550123@10.0.0.1>" }),
      lineOf({ error }),
      lineOf({ error: new Error("caller 14155550123 hung up") }),
      lineOf({ error: "caller 14155550123 hung up" }),
    ].join("");
    expect(text).not.toContain("4155550");
    expect(text).toContain("0123");
  });

  it("keeps promo numbers: they are business data", () => {
    expect(lineOf({ promoNumber: "+18885550100" })).toContain("+18885550100");
  });
});

describe("a log whose disk is full", () => {
  it.skipIf(!existsSync("/dev/full"))("fails nobody who writes a line", () => {
    const fd = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(fd));
    const log = createLog("info", fd);
    for (let n = 0; n < 3; n++) log.error("call.record_lost", { callId: `call_${String(n)}` });
  });

  it("writes what it could not, when it can again", () => {
    const path = join(mkdtempSync(join(tmpdir(), "ringmatch-log-")), "log");
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    // A descriptor that refuses, then one of the same number that does not.
    const fd = openSync("/dev/null", "r");
    const log = createLog("info", fd);
    log.warn("first");
    closeSync(fd);
    expect(openSync(path, "a")).toBe(fd);
    onTestFinished(() => closeSync(fd));
    log.warn("second");
    expect(readFileSync(path, "utf8")).toMatch(/"first".*\n.*"second".*\n$/);
  });
});
