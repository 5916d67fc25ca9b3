import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock, toIso } from "../../src/kernel/clock.js";
import { createIdSource, ID_PREFIXES, VISITOR_ID_PATTERN } from "../../src/kernel/ids.js";
import { systemRandom } from "../../src/kernel/random.js";

describe("ids", () => {
  it("carry their prefix, sort by time, and are all different", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 45 }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.constantFrom(...ID_PREFIXES),
        (t, later, prefix) => {
          let now = t;
          const ids = createIdSource({ now: () => now }, systemRandom);
          const first = ids.next(prefix);
          const second = ids.next(prefix);
          now += later;
          const third = ids.next(prefix);
          expect(first).toMatch(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`));
          expect(first).not.toBe(second);
          expect(third > first && third > second).toBe(true);
        },
      ),
    );
  });

  it("of visitors fit the shape that a client may make itself", () => {
    expect(createIdSource(systemClock, systemRandom).next("vis")).toMatch(VISITOR_ID_PATTERN);
    expect(`vis_${systemRandom.uuid().replaceAll("-", "")}`).toMatch(VISITOR_ID_PATTERN);
    for (const bad of [
      "vis_short",
      "vis_",
      `vis_${"a".repeat(37)}`,
      `acc_${"a".repeat(26)}`,
      `vis_${"a".repeat(25)}-`,
      `vis_${"a".repeat(26)}\n`,
    ])
      expect(bad).not.toMatch(VISITOR_ID_PATTERN);
  });
});

describe("times", () => {
  it("leave as ISO 8601 UTC with milliseconds", () => {
    expect(toIso(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(toIso(Date.parse("2026-11-23T12:00:00.1Z"))).toBe("2026-11-23T12:00:00.100Z");
  });
});
