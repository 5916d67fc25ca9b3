import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { buildTag } from "../../scripts/build-tag.mjs";

/** What the tag has grown to, so that it grows no further; it is to become 4,096, and `bench -- tag` says how far that is (docs/tag.md, Limits). */
const GZIPPED_BYTES_MAX = 6_200;

test("the tag is small, and one expression without dependencies", async () => {
  const tag = await buildTag();
  expect(gzipSync(tag, { level: 9 }).length).toBeLessThanOrEqual(GZIPPED_BYTES_MAX);
  expect(tag).toMatch(/^function\(__config\)\{/);
  expect(tag).not.toMatch(/\b(require|import)\b/);
});
