import type { BenchResult } from "./result.js";
export function benchMatch(): Promise<BenchResult> {
  return Promise.resolve({ bench: "match", figures: {}, ratios: {}, targets: {}, goals: {} });
}
