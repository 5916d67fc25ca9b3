import { expect, it } from "vitest";
import { sharedBuffers } from "../../src/dev/shared-buffers.js";

const GB = 1_073_741_824;

it.each([
  [0.5 * GB, "128MB"],
  [1 * GB, "128MB"],
  [2 * GB, "256MB"],
  [3 * GB + 1, "384MB"],
  [4 * GB, "512MB"],
  [64 * GB, "512MB"],
])("of %d bytes of memory PostgreSQL keeps pages in %s", (bytes, expected) => {
  expect(sharedBuffers(bytes)).toBe(expected);
});
