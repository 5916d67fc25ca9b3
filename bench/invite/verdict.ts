/** From what was measured to the result of `bench -- invite`. Pure. */
import { type BenchResult, median, percentile } from "../result.js";
import type { SideName } from "./side.js";

/** One climb's highest passed step. */
export interface Summit {
  /** Calls a second, 0 when no step passed. */
  readonly rate: number;
  readonly failedShare: number;
  /** Null: the side matches nothing, or nothing passed. */
  readonly lateShare: number | null;
  /** Of the node process and of PostgreSQL; null where the system does not tell, or nothing passed. */
  readonly cpuMsPerCall: number | null;
  readonly databaseCpuMsPerCall: number | null;
}

export interface Measured {
  readonly summits: Readonly<Record<SideName, readonly Summit[]>>;
  /** Post-dial delays in ms, one array a round. */
  readonly delaysMs: Readonly<Record<SideName, readonly (readonly number[])[]>>;
  readonly rss: {
    readonly earlyMb: number;
    readonly lateMb: number;
    readonly rate: number;
    readonly failedShare: number;
  };
}

const THROUGHPUT_MIN = 0.8;
/** What match and record may add to the time until it rings. */
const PDD_MORE_MS = 5;
const RSS_GROWTH_MAX = 1.1;
const GOAL_BARE_PER_S = 1_500;

export function verdict({ summits, delaysMs, rss }: Measured): BenchResult {
  const rate = (side: SideName): number => median(summits[side].map((summit) => summit.rate));
  const pdd = (side: SideName, share: number): number =>
    median(delaysMs[side].map((round) => percentile(round, share)));
  return {
    bench: "invite",
    figures: {
      full_per_s: rate("full"),
      bare_per_s: rate("bare"),
      ...sideFigures("full", summits.full, pdd),
      ...sideFigures("bare", summits.bare, pdd),
      ...known(
        "postgres_cpu_ms_per_call",
        summits.full.map((summit) => summit.databaseCpuMsPerCall),
      ),
      ...known(
        "full_late_share",
        summits.full.map((summit) => summit.lateShare),
      ),
      full_rss_early_mb: rss.earlyMb,
      full_rss_late_mb: rss.lateMb,
      full_rss_at_per_s: rss.rate,
      full_rss_failed_share: rss.failedShare,
    },
    ratios: {
      invite_throughput: rate("full") / rate("bare"),
      pdd_p99: pdd("full", 0.99) / (pdd("bare", 0.99) + PDD_MORE_MS),
      rss: rss.lateMb / rss.earlyMb,
    },
    targets: {
      invite_throughput: { atLeast: THROUGHPUT_MIN },
      pdd_p99: { atMost: 1 },
      rss: { atMost: RSS_GROWTH_MAX },
    },
    goals: { bare_per_s_on_2_cores: { atLeast: GOAL_BARE_PER_S, measured: rate("bare") } },
  };
}

function sideFigures(
  side: SideName,
  summits: readonly Summit[],
  pdd: (side: SideName, share: number) => number,
): Record<string, number> {
  return {
    [`${side}_failed_share`]: median(summits.map((summit) => summit.failedShare)),
    [`${side}_pdd_p50_ms`]: pdd(side, 0.5),
    [`${side}_pdd_p95_ms`]: pdd(side, 0.95),
    [`${side}_pdd_p99_ms`]: pdd(side, 0.99),
    ...known(
      `${side}_cpu_ms_per_call`,
      summits.map((summit) => summit.cpuMsPerCall),
    ),
  };
}

/** No figure rather than a wrong one. */
function known(name: string, values: readonly (number | null)[]): Record<string, number> {
  const measured = values.filter((value) => value !== null);
  return measured.length === 0 ? {} : { [name]: median(measured) };
}
