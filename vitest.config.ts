import { defineConfig } from "vitest/config";

/** One project a room, so that `npx vitest run --project sip` runs just that. Every project shares one PostgreSQL and one Redis, started once. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  unit: ["kernel", "telephony", "architecture", "bench"],
  store: ["db", "account", "pool", "attribution", "routing", "jobs"],
  http: ["http", "webhooks"],
  sip: ["sip"],
  tag: ["tag", "dashboard"],
  service: ["dev", "cli", "service"],
};

/**
 * Rooms whose files share a worker's loaded modules: loading them anew for each file was a quarter of the time of all tests. Their tests keep no state of
 * a process: each file has a database of its own, and what it stubs it puts back. The others start threads, processes and SIP stacks.
 */
const SHARING: ReadonlySet<string> = new Set(["unit", "store", "http", "tag"]);

/** As many as the smallest machine has cores. A third one saved 6 % of the time, and let tests fail that count milliseconds or call 100 times a second. */
const WORKERS = 2;

const SLOWEST_TEST_MS = 60_000;

export default defineConfig({
  test: {
    // Of the root alone, whose context the projects inherit: in each project (`extends: true`) it started a PostgreSQL and a Redis for each.
    globalSetup: "test/support/services.ts",
    maxWorkers: WORKERS,
    projects: Object.entries(ROOMS).map(([name, folders]) => ({
      test: {
        name,
        isolate: !SHARING.has(name),
        include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
        testTimeout: SLOWEST_TEST_MS,
        hookTimeout: SLOWEST_TEST_MS,
      },
    })),
  },
});
