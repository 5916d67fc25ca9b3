/**
 * scripts/bootstrap.sh in a small project of its own, with stand-ins for npm, apt-get and what they would bring: what it decides to do, what it
 * says, and that standard output stays the service's. That the real apt-get and npm do their part shows in every run of `npm test`.
 */
import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { makeScratch } from "./support/scratch.js";

const SCRIPT = fileURLToPath(new URL("../../scripts/bootstrap.sh", import.meta.url));
/** What the script may count on everywhere. */
const ORDINARY_TOOLS = "bash cat chmod dirname find grep head id ln ls mkdir mv rm sed sleep touch tr wc".split(" ");

let project: string;
let bin: string;

beforeEach(() => {
  const scratch = makeScratch("private");
  onTestFinished(scratch.remove);
  project = join(scratch.path, "project");
  bin = join(scratch.path, "bin");
  for (const directory of [bin, join(project, "scripts"), join(project, "src")])
    mkdirSync(directory, { recursive: true });
  copyFileSync(SCRIPT, join(project, "scripts/bootstrap.sh"));
  for (const file of ["package.json", "package-lock.json", "src/main.ts"]) writeFileSync(join(project, file), "{}");
  for (const tool of ORDINARY_TOOLS) symlinkSync(whereIs(tool), join(bin, tool));
  symlinkSync(process.execPath, join(bin, "node"));
  for (const tool of ["redis-server", "sipp", "baresip", "chromium", "chromium-headless-shell"]) standIn(tool, "");
  // Notes each call; `ci` leaves what the real one leaves.
  standIn(
    "npm",
    `echo "$*" >>npm.calls
     if [ "$1" = ci ]; then mkdir -p node_modules/.bin; touch node_modules/.package-lock.json node_modules/.bin/tsc; chmod +x node_modules/.bin/tsc; fi`,
  );
});

function whereIs(tool: string): string {
  const found = (process.env["PATH"] ?? "").split(":").find((directory) => existsSync(join(directory, tool)));
  if (found === undefined) throw new Error(`${tool} is not on PATH`);
  return join(found, tool);
}

function standIn(tool: string, body: string): void {
  writeFileSync(join(bin, tool), `#!/bin/sh\n${body}\n`);
  chmodSync(join(bin, tool), 0o755);
}

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function bootstrap(
  purpose: string,
  { without = [], env = {} }: { without?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Run> {
  for (const tool of without) rmSync(join(bin, tool), { force: true });
  return new Promise((done) => {
    execFile(
      join(bin, "bash"),
      [join(project, "scripts/bootstrap.sh"), purpose],
      { cwd: dirname(project), env: { PATH: bin, ...env } },
      (error, out, err) => {
        done({ code: error === null ? 0 : Number(error.code), out, err });
      },
    );
  });
}

const npmCalls = (): string[] => {
  const calls = join(project, "npm.calls");
  return existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : [];
};

const makeNewer = (file: string): void => utimesSync(join(project, file), new Date(), new Date(Date.now() + 60_000));

const INSTALL = "ci --include=dev --no-audit --no-fund";
const BUILD = "run --silent build";

describe("bootstrap", () => {
  it("installs and builds once, then says and does nothing", async () => {
    const first = await bootstrap("start");
    expect([first.code, first.out, first.err.trim().split("\n")]).toEqual([
      0,
      "",
      ["ringmatch: installing Node packages ...", "ringmatch: building ..."],
    ]);
    expect(await bootstrap("start")).toEqual({ code: 0, out: "", err: "" });
    expect(await bootstrap("test")).toEqual({ code: 0, out: "", err: "" });
    expect(npmCalls()).toEqual([INSTALL, BUILD]);
  });

  it("installs again after the lock file changed, builds again after a source changed or went, and tests need no build", async () => {
    await bootstrap("test");
    expect(npmCalls()).toEqual([INSTALL]);
    makeNewer("package-lock.json");
    await bootstrap("test");
    expect(npmCalls()).toEqual([INSTALL, INSTALL]);
    utimesSync(join(project, "package-lock.json"), 0, 0);
    await bootstrap("start");
    makeNewer("src/main.ts");
    await bootstrap("start");
    utimesSync(join(project, "src/main.ts"), 0, 0);
    makeNewer("src"); // as removing a file does
    await bootstrap("start");
    expect(npmCalls()).toEqual([INSTALL, INSTALL, BUILD, BUILD, BUILD]);
  });

  it("run several times at once does the work once", async () => {
    symlinkSync(whereIs("flock"), join(bin, "flock"));
    const runs = await Promise.all([bootstrap("start"), bootstrap("start"), bootstrap("start")]);
    expect(runs.map((run) => run.code)).toEqual([0, 0, 0]);
    expect(npmCalls()).toEqual([INSTALL, BUILD]);
  });

  it("does the same where there is no flock, and a killed run's lock does not stay", async () => {
    mkdirSync(join(project, ".cache/bootstrap.lock.d"), { recursive: true });
    writeFileSync(join(project, ".cache/bootstrap.lock.d/pid"), "4194305"); // above the highest pid Linux gives
    const runs = await Promise.all([bootstrap("start"), bootstrap("start")]);
    expect(runs.map((run) => run.code)).toEqual([0, 0]);
    expect(npmCalls()).toEqual([INSTALL, BUILD]);
    expect(existsSync(join(project, ".cache/bootstrap.lock.d"))).toBe(false);
  });

  it("shows the output of a step that fails, and what to do", async () => {
    standIn("npm", 'echo "npm error ENOTFOUND"; echo "npm error on stderr" >&2; exit 1');
    const { code, out, err } = await bootstrap("start");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /npm error ENOTFOUND\nnpm error on stderr\nringmatch: npm ci failed: .*run the same command again\.\n$/,
    );
  });

  it("a build that fails is tried again next time", async () => {
    standIn(
      "npm",
      `if [ "$1" = run ]; then exit 1; fi; mkdir -p node_modules/.bin; touch node_modules/.package-lock.json; ln -s /bin/sh node_modules/.bin/tsc`,
    );
    expect((await bootstrap("start")).err).toContain("The build failed");
    expect((await bootstrap("start")).err).toContain("The build failed");
  });

  it.each([
    ["v18.20.4", "Node.js v18.20.4 is too old: install version 20.19 or later"],
    ["v20.18.3", "Node.js v20.18.3 is too old: install version 20.19 or later"],
  ])("refuses Node %s by name", async (version, sentence) => {
    symlinkSync(process.execPath, join(bin, "real-node"));
    writeFileSync(
      join(bin, "version.cjs"),
      `Object.defineProperty(process.versions, "node", { value: "${version.slice(1)}" });`,
    );
    replaceTool(
      "node",
      `if [ "$1" = --version ]; then echo ${version}; else exec real-node -r "${bin}/version.cjs" "$@"; fi`,
    );
    const { code, err } = await bootstrap("start");
    expect([code, err]).toEqual([1, expect.stringContaining(sentence)]);
    expect(npmCalls()).toEqual([]);
  });
});

describe("bootstrap, a system package missing", () => {
  const missing = { without: ["redis-server", "sipp", "baresip", "chromium", "chromium-headless-shell"] };

  it("elsewhere than on Debian prints the commands to install it, more of them for the tests", async () => {
    const start = await bootstrap("start", missing);
    expect([start.code, start.out]).toEqual([1, ""]);
    expect(start.err).toContain(
      'Missing: redis-server. Install with "brew install redis" (Homebrew) or "sudo dnf install redis" (Fedora)',
    );
    const test = await bootstrap("test", missing);
    expect(test.err).toContain(
      'Missing: redis-server sip-tester baresip-core chromium chromium-headless-shell. Install with "brew install redis sipp baresip chromium" (Homebrew)',
    );
  });

  it("is content with Valkey, and a service that is given a Redis server needs none", async () => {
    expect((await bootstrap("start", { ...missing, env: { REDIS_URL: "redis://elsewhere:6379" } })).code).toBe(0);
    expect((await bootstrap("start", { ...missing, env: { REDIS_URL: "" } })).code).toBe(1);
    standIn("valkey-server", "");
    expect((await bootstrap("start", missing)).code).toBe(0);
  });

  it("on Debian without root or sudo prints the command to run", async () => {
    standIn("apt-get", "exit 100");
    replaceTool("id", "echo 1000");
    const { code, err } = await bootstrap("test", missing);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(
        'run "sudo apt-get update && sudo apt-get install redis-server sip-tester baresip-core chromium chromium-headless-shell"',
      ),
    ]);
  });

  it("on Debian has sudo install it, unless sudo would ask a password of nobody", async () => {
    standIn("apt-get", "exit 100");
    replaceTool("id", "echo 1000");
    standIn("sudo", 'echo "$*" >>sudo.calls; if [ "$1" = bash ]; then echo "E: no network"; exit 100; fi');
    const failing = await bootstrap("test", missing);
    expect(failing.err).toMatch(
      /E: no network\nringmatch: The system packages could not be installed: run "sudo apt-get update/,
    );
    expect(readFileSync(join(project, "sudo.calls"), "utf8")).toContain(
      "bash scripts/bootstrap.sh --install-as-root redis-server sip-tester baresip-core chromium chromium-headless-shell",
    );
    standIn("sudo", "exit 1");
    expect((await bootstrap("test", missing)).err).toContain('run "sudo apt-get update');
  });
});

/** Instead of the link to the real one. */
function replaceTool(tool: string, body: string): void {
  rmSync(join(bin, tool));
  standIn(tool, body);
}
