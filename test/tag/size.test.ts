import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { buildTag } from "../../scripts/build-tag.mjs";

/** Less than one round trip of a fresh connection carries, and what the project promises. */
const GZIPPED_BYTES_MAX = 4_096;

test("the tag is small, and one expression without dependencies", async () => {
  const tag = await buildTag();
  expect(gzipSync(tag, { level: 9 }).length).toBeLessThanOrEqual(GZIPPED_BYTES_MAX);
  expect(tag).toMatch(/^function\(__config\)\{/);
  expect(tag).not.toMatch(/\b(require|import)\b/);
});
