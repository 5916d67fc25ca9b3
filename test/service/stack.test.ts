import { expect, it } from "vitest";
import { Stack } from "../../src/service/stack.js";
import { recordingLog } from "../support/recording-log.js";

it("stops in reverse order, and goes on past a part that fails", async () => {
  const { log, events, fieldsOf } = recordingLog();
  const stopped: string[] = [];
  const stack = new Stack(log);
  stack.push("first", () => void stopped.push("first"));
  stack.push("broken", () => Promise.reject(new Error("stuck")));
  stack.push("last", () => void stopped.push("last"));
  await stack.unwind();
  expect(stopped).toEqual(["last", "first"]);
  expect(events).toEqual(["error service.stop_failed"]);
  expect(fieldsOf("service.stop_failed")).toEqual({ part: "broken", error: "stuck" });
});

it("asked twice, has stopped every part before either asker goes on", async () => {
  const stack = new Stack(recordingLog().log);
  let finishSlow = (): void => {};
  const slow = new Promise<void>((finish) => {
    finishSlow = finish;
  });
  const done: string[] = [];
  stack.push("quick", () => void done.push("quick"));
  stack.push("slow", async () => {
    await slow;
    done.push("slow");
  });
  const askers = ["one", "two"].map((name) => stack.unwind().then(() => void done.push(name)));
  await new Promise((soon) => setImmediate(soon));
  expect(done).toEqual([]);
  finishSlow();
  await Promise.all(askers);
  expect(done).toEqual(["slow", "quick", "one", "two"]);
});

it("stops what was pushed after an end, too", async () => {
  const stack = new Stack(recordingLog().log);
  await stack.unwind();
  let isStopped = false;
  stack.push("late", () => {
    isStopped = true;
  });
  await stack.unwind();
  expect(isStopped).toBe(true);
});
