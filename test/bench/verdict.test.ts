import { expect, test } from "vitest";
import { type Measured, verdict } from "../../bench/invite/verdict.js";
import { isMet, jsonLine, table } from "../../bench/result.js";

const summit = (rate: number) => ({
  rate,
  failedShare: 0,
  lateShare: null,
  cpuMsPerCall: 1,
  databaseCpuMsPerCall: null,
});

const MEASURED: Measured = {
  summits: { bare: [1_000, 1_200, 1_100].map(summit), full: [900, 880, 700].map(summit) },
  delaysMs: {
    bare: [
      [1, 2, 3],
      [1, 2, 4],
      [1, 2, 50],
    ],
    full: [
      [2, 3, 8],
      [2, 3, 9],
      [2, 3, 10],
    ],
  },
  rss: { earlyMb: 200, lateMb: 210, rate: 440, failedShare: 0 },
};

test("ratios are of the medians: of climbs, of the rounds' p99, and of the memory of one process", () => {
  const { ratios, figures } = verdict(MEASURED);
  expect(figures).toMatchObject({ bare_per_s: 1_100, full_per_s: 880, bare_pdd_p99_ms: 4, full_pdd_p99_ms: 9 });
  expect(ratios).toEqual({ invite_throughput: 0.8, pdd_p99: 1, rss: 1.05 });
});

test("exactly at the targets is met; one step, one ms or a tenth of memory beyond is not", () => {
  expect(isMet(verdict(MEASURED))).toBe(true);
  const slower = { ...MEASURED, summits: { ...MEASURED.summits, full: [summit(800)] } };
  const later = { ...MEASURED, delaysMs: { ...MEASURED.delaysMs, full: [[2, 3, 10]] } };
  const bigger = { ...MEASURED, rss: { ...MEASURED.rss, lateMb: 221 } };
  for (const missed of [slower, later, bigger]) expect(isMet(verdict(missed))).toBe(false);
});

test("nothing measured is nothing met", () => {
  expect(isMet(verdict({ ...MEASURED, summits: { bare: [summit(0)], full: [summit(0)] } }))).toBe(false);
  expect(isMet(verdict({ ...MEASURED, delaysMs: { bare: [[]], full: [[]] } }))).toBe(false);
});

test("the goal of the bare one is printed and does not count", () => {
  const result = verdict(MEASURED);
  expect(table(result)).toMatch(/bare_per_s_on_2_cores +1100 +goal ≥ 1500: missed/);
  expect(JSON.parse(jsonLine(result))).toMatchObject({
    met: true,
    goals: { bare_per_s_on_2_cores: { atLeast: 1_500 } },
  });
});

test("CPU that the system does not tell is no figure", () => {
  expect(verdict(MEASURED).figures).toHaveProperty("full_cpu_ms_per_call", 1);
  expect(verdict(MEASURED).figures).not.toHaveProperty("postgres_cpu_ms_per_call");
});
