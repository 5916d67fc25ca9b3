import { spawn } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { createInterface } from "node:readline";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/kernel/clock.js";
import { endProcess, identityOf, isAlive, processesWorkingIn, waitForEnd } from "../../src/dev/process-identity.js";
import { makeScratch } from "./support/scratch.js";

/** A shell that runs `script`, with the first line it prints. */
async function startShell(
  script: string,
  cwd = "/",
): Promise<{ pid: number; firstLine: string; exit: Promise<unknown[]> }> {
  const child = spawn("bash", ["-c", script], { cwd, stdio: ["ignore", "pipe", "ignore"] });
  const exit = once(child, "exit");
  onTestFinished(() => void child.kill("SIGKILL"));
  for await (const line of createInterface({ input: child.stdout }))
    return { pid: child.pid ?? -1, firstLine: line, exit };
  throw new Error("the shell printed nothing");
}

const identityOrFail = (pid: number) => {
  const identity = identityOf(pid);
  if (identity === null) throw new Error(`no process ${String(pid)}`);
  return identity;
};

it("a process keeps its identity while it lives and has none afterwards", async () => {
  const shell = await startShell("echo up; exec sleep 60");
  const identity = identityOrFail(shell.pid);
  expect(identityOf(shell.pid)).toEqual(identity);
  expect(isAlive(identity)).toBe(true);
  expect(await endProcess(identity, [{ signal: "SIGTERM", waitMs: 5_000 }], systemClock)).toBe(true);
  await shell.exit;
  expect(isAlive(identity)).toBe(false);
  expect(identityOf(shell.pid)).toBeNull();
});

it("a stranger that was given the pid of a dead process is neither alive as it nor signalled", async () => {
  const stranger = await startShell("echo up; exec sleep 60");
  const dead = { ...identityOrFail(stranger.pid), startedAt: "an earlier start" };
  expect(isAlive(dead)).toBe(false);
  expect(await endProcess(dead, [{ signal: "SIGKILL", waitMs: 1_000 }], systemClock)).toBe(true);
  expect(identityOf(stranger.pid)).not.toBeNull();
});

it.runIf(process.platform === "linux")("a zombie counts as gone", async () => {
  const parent = await startShell("sleep 0.3 & echo $!; exec sleep 60"); // the second sleep never collects the first
  const zombie = Number(parent.firstLine);
  const seen = identityOf(zombie);
  expect(seen === null || (await waitForEnd(seen, 5_000, systemClock))).toBe(true);
  expect(() => process.kill(zombie, 0)).not.toThrow(); // its pid is still taken
});

it("a process that ignores the polite signal gets the next one, and one that outlives all is told of", async () => {
  const stubborn = await startShell("trap '' TERM INT; echo up; while :; do sleep 0.05; done");
  const identity = identityOrFail(stubborn.pid);
  expect(await endProcess(identity, [{ signal: "SIGTERM", waitMs: 50 }], systemClock)).toBe(false);
  const steps = [
    { signal: "SIGINT", waitMs: 50 },
    { signal: "SIGKILL", waitMs: 5_000 },
  ] as const;
  expect(await endProcess(identity, steps, systemClock)).toBe(true);
  expect((await stubborn.exit)[1]).toBe("SIGKILL");
});

it.runIf(process.platform === "linux")("processes are found by the directory they work in and by name", async () => {
  const scratch = makeScratch("private");
  onTestFinished(scratch.remove);
  const directory = realpathSync(scratch.path);
  const shell = await startShell("mkdir inner; cd inner; echo up; exec sleep 60", directory);
  expect(processesWorkingIn(directory, ["sleep"]).map(({ pid, parentPid }) => [pid, parentPid])).toEqual([
    [shell.pid, process.pid],
  ]);
  expect(processesWorkingIn(directory, ["postgres"])).toEqual([]);
  expect(processesWorkingIn(`${directory}/inn`, ["sleep"])).toEqual([]);
});
