import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { dumpSchema } from "../../src/db/dump-schema.js";
import { freshDatabase, rows } from "../support/database.js";

const { db } = await freshDatabase();
const SCHEMA_SQL = fileURLToPath(new URL("../../schema.sql", import.meta.url));

it("a migrated database is exactly what schema.sql says (after a new migration: npm run schema)", async () => {
  await expect(await dumpSchema(db)).toMatchFileSnapshot(SCHEMA_SQL);
});

it("the dump does not depend on the partitions of the day, and shows any other change", async () => {
  const before = await dumpSchema(db);
  await rows(db, "select ensure_partitions(now() + interval '400 days')");
  expect(await dumpSchema(db)).toBe(before);
  await rows(db, "create index on call (verstat)");
  expect(await dumpSchema(db)).not.toBe(before);
});
