import { describe, expect, it, vi } from "vitest";
import { poolSizeCommand } from "../../src/cli/pool-size.js";
import { freshDatabase } from "../support/database.js";
import { writeEvenLog } from "../support/pool-log.js";
import { makeWorld } from "../support/world.js";

const { db, url } = await freshDatabase();

async function poolSize(...words: string[]): Promise<string> {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  vi.stubEnv("DATABASE_URL", url);
  vi.stubEnv("SECRETS_KEY", "a secret for tests only");
  vi.stubEnv("REDIS_URL", "redis://127.0.0.1:1");
  try {
    await poolSizeCommand.run(words);
  } finally {
    log.mockRestore();
    vi.unstubAllEnvs();
  }
  return lines.join("\n");
}

describe("ringmatch pool size", () => {
  it("plans a pool from the visitors expected, without a database", async () => {
    const shown = JSON.parse(
      await poolSize("--per-hour", "60", "--page-time", "240", "--size", "40", "--simulate", "--json"),
    );
    expect(shown).toMatchObject({
      size: 40,
      usable: 40,
      horizon_s: 2_400,
      for_overflow: 46,
      delays: { source: "prior" },
    });
    expect(shown.overflow_share).toBeCloseTo(0.044, 3);
    expect(shown.simulated.map(({ size }: { size: number }) => size)).toEqual([40, shown.recommended_size]);
    for (const played of shown.simulated) {
      const formula = shown.curve.find(({ size }: { size: number }) => size === played.size);
      expect(Math.abs(played.overflowShare - formula.overflow_share)).toBeLessThan(0.006);
      expect(Math.abs(played.misattribution - formula.misattribution)).toBeLessThan(0.006);
    }
  });

  it("prints a table with the recommendation, and the simulation beside the formulas", async () => {
    const table = await poolSize(
      "--per-hour",
      "60",
      "--lifetime",
      "1800",
      "--overflow",
      "0.01",
      "--price",
      "1.5",
      "--simulate",
      "--size",
      "40",
    );
    expect(table).toMatch(/60 visitors an hour on average/);
    expect(table).toMatch(/size +overflow +misattributed +numbers\/point +cost\/point/);
    expect(table).toMatch(/^ +40 .* now$/m);
    expect(table).toMatch(/Recommended size 7\d\d: 42 for at most 1.00 % overflow/);
    expect(table).toMatch(/simulated +overflow +by formula +misattributed +by formula/);
    expect(await poolSize("--per-hour", "60", "--json")).toBe(await poolSize("--per-hour", "60", "--json"));
  });

  it("plans a pool from its own log, and plays that log", async () => {
    const world = await makeWorld(db, 30);
    await writeEvenLog(db, world, { everyS: 120, visits: 1_000, lockS: 1_800, endedAgoS: 3_600 });
    const shown = JSON.parse(await poolSize("--pool", world.pool.id, "--window", "86400", "--simulate", "--json"));
    expect(shown).toMatchObject({ size: 30, window_s: 86_400 });
    expect(shown.lambda_per_s).toBeCloseTo(1 / 120, 3);
    const [now] = shown.simulated;
    expect(now).toMatchObject({ size: 30, renewals: 0, overflowShare: 0 });
    expect(now.allocations).toBeGreaterThan(680);
    expect(Math.abs(now.misattribution - shown.misattribution)).toBeLessThan(0.02);
    expect(await poolSize("--pool", world.pool.id)).toMatch(/^Size +30, 30 of them for visitors\nTraffic/);
    const untouched = await makeWorld(db, 1);
    expect(await poolSize("--pool", untouched.pool.id, "--simulate")).toMatch(/^Nobody was presented a number/);
  });

  it("says what is missing or not acceptable", async () => {
    await expect(poolSize()).rejects.toThrow(/--pool.*--per-hour/);
    await expect(poolSize("--pool", "x", "--per-hour", "1")).rejects.toThrow(/--pool.*--per-hour/);
    await expect(poolSize("--per-hour", "many")).rejects.toThrow(/--per-hour must be a number/);
    await expect(poolSize("--per-hour", "60", "--overflow", "2")).rejects.toThrow(/target_overflow/);
    await expect(poolSize("--pool", "pool_none")).rejects.toThrow(/no such pool/);
    await expect(poolSize("--per-hour", "60", "--colour", "red")).rejects.toThrow(/--colour/);
  });
});
