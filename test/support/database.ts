/** A fresh, migrated database for one test file, copied from the template. */
import { randomBytes } from "node:crypto";
import { afterAll, inject } from "vitest";
import { type Database, openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { databaseUrl, TEMPLATE } from "./services.js";

export interface TestDatabase {
  readonly db: Database;
  readonly url: string;
}

/** Call at the top of a test file; it is dropped after the file's tests. */
export async function freshDatabase(): Promise<TestDatabase> {
  const serverUrl = inject("postgresUrl");
  const name = `test_${randomBytes(8).toString("hex")}`;
  await onServer(serverUrl, `create database ${name} template ${TEMPLATE}`);
  const url = databaseUrl(serverUrl, name);
  const db = openDatabase({ url, log: silentLog });
  afterAll(async () => {
    await db.close();
    await onServer(serverUrl, `drop database if exists ${name} with (force)`);
  });
  return { db, url };
}

/** Two files may copy the template at the same moment, which PostgreSQL refuses (55006): then again. */
async function onServer(url: string, text: string): Promise<void> {
  const server = openDatabase({ url, log: silentLog, connectionsMax: 1 });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await server.query({ name: "", text });
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== "55006" || attempt === 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  } finally {
    await server.close();
  }
}

/** Plain SQL for arranging and checking. */
export async function rows<R = Record<string, unknown>>(
  db: Database,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  return db.query<R>({ name: "", text }, values);
}
