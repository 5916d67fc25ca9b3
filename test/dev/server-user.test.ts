import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { canUse, run } from "../../src/dev/server-user.js";
import { common, isRoot, makeScratch } from "./support/scratch.js";

const asOurselves = { searchPath: common.searchPath, user: null };
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

it("a program's output is returned, its failure told with its own words, and neither holds the process open afterwards", async () => {
  const before = timers();
  expect(await run("sh", ["-c", "echo out; echo err >&2"], asOurselves)).toBe("out\n");
  await expect(run("sh", ["-c", "echo why >&2; exit 3"], asOurselves)).rejects.toThrow("sh ended with 3: why");
  await expect(run("/no/such/program", [], asOurselves)).rejects.toThrow("ENOENT");
  // Fewer when one of the test runner's own ended meanwhile.
  expect(timers()).toBeLessThanOrEqual(before);
});

it("a program sees nothing of our environment", async () => {
  process.env["RINGMATCH_TEST_KEY"] = "private";
  expect(await run("env", [], asOurselves)).not.toContain("RINGMATCH_TEST_KEY");
});

it.runIf(isRoot)(
  "a directory below one of mode 0700 is out of another user's reach whatever its own mode",
  async () => {
    const scratch = makeScratch("private");
    onTestFinished(scratch.remove);
    const open = join(scratch.path, "open");
    mkdirSync(open, { mode: 0o777 });
    const asNobody = { searchPath: common.searchPath, user: { uid: 65_534, gid: 65_534 } };
    expect(await canUse(open, "enter", asOurselves)).toBe(true);
    expect(await canUse(open, "enter", asNobody)).toBe(false);
    expect(await canUse("/", "enter", asNobody)).toBe(true);
    expect(await canUse("/", "write", asNobody)).toBe(false);
  },
);
