import { defineConfig } from "vitest/config";

/** One project a room, so that `npx vitest run --project sip` runs just that. Every project shares one PostgreSQL and one Redis, started once. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  unit: ["kernel", "telephony", "architecture", "bench"],
  store: ["db", "account", "pool", "attribution", "routing", "jobs"],
  http: ["http", "webhooks"],
  sip: ["sip"],
  service: ["dev", "cli", "service"],
};

const SLOWEST_TEST_MS = 60_000;

export default defineConfig({
  test: {
    globalSetup: "test/support/services.ts",
    maxWorkers: 2,
    testTimeout: SLOWEST_TEST_MS,
    hookTimeout: SLOWEST_TEST_MS,
    projects: Object.entries(ROOMS).map(([name, folders]) => ({
      extends: true as const,
      test: { name, include: folders.map((folder) => `test/${folder}/**/*.test.ts`) },
    })),
  },
});
