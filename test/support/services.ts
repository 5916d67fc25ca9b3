/** Started once for the whole run: a real PostgreSQL with a migrated template database, and a real Redis, in a directory of their own. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { openDatabase } from "../../src/db/database.js";
import { migrate } from "../../src/db/migrate.js";
import { openDataDir } from "../../src/dev/data-dir.js";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.js";
import { startEmbeddedRedis } from "../../src/dev/embedded-redis.js";
import { systemClock } from "../../src/kernel/clock.js";
import { createLog, silentLog } from "../../src/kernel/log.js";

declare module "vitest" {
  interface ProvidedContext {
    /** URL of the server's maintenance database; test/support/database.ts makes one database a test file from the template. */
    postgresUrl: string;
    redisUrl: string;
  }
}

export const TEMPLATE = "ringmatch_template";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Not there yet: as root, PostgreSQL's data lies inside only of a directory that the start itself made, and dies with it.
  const path = join(tmpdir(), `ringmatch-test-${randomBytes(8).toString("hex")}`);
  const log = createLog("warn");
  const dataDir = await openDataDir({ path, clock: systemClock, log });
  const searchPath = process.env["PATH"] ?? "";
  const common = { dataDir, clock: systemClock, log, searchPath };
  // The tests' data dies with them: no need to wait for a disk. Files that start many services (one a carrier) run beside others, and each keeps its
  // connections for a while.
  const postgres = await startEmbeddedPostgres({ ...common, settings: { fsync: "off", max_connections: "500" } });
  const redis = await startEmbeddedRedis(common);
  await makeTemplate(postgres.url);
  project.provide("postgresUrl", postgres.url);
  project.provide("redisUrl", redis.url);
  return async () => {
    await redis.stop();
    await postgres.stop();
    await dataDir.close();
    rmSync(path, { recursive: true, force: true });
  };
}

async function makeTemplate(url: string): Promise<void> {
  const server = openDatabase({ url, log: silentLog, connectionsMax: 1 });
  await server.query({ name: "make_template", text: `create database ${TEMPLATE}` });
  await server.close();
  const template = openDatabase({ url: databaseUrl(url, TEMPLATE), log: silentLog });
  await migrate({ database: template, log: silentLog });
  await template.query({ name: "make_partitions", text: "select ensure_partitions(now())" });
  await template.close();
}

export function databaseUrl(url: string, database: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${database}`;
  return parsed.href;
}
