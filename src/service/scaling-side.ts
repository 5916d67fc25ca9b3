/** What scales pools: the jobs, with the carrier to buy from, and what is counted of it. Stopped after HTTP, which wakes it. */
import type { Registry } from "prom-client";
import type { Config } from "../config.js";
import type { NumberJobs } from "../jobs/number-jobs.js";
import { ScaleJobs } from "../jobs/scale-jobs.js";
import type { IdSource } from "../kernel/ids.js";
import type { NumberBuyer } from "../pool/number-buyer.js";
import type { Ambient } from "./ambient.js";
import type { Infrastructure } from "./infrastructure.js";
import { createPoolMetrics, type PoolMetrics } from "./pool-metrics.js";

export interface ScalingSide {
  readonly jobs: ScaleJobs;
  readonly metrics: PoolMetrics;
}

/** Not started yet: looks are sent, none is worked on. */
export function prepareScaling(input: {
  config: Config;
  infrastructure: Infrastructure;
  ambient: Ambient;
  ids: IdSource;
  schedule: NumberJobs;
  buyer: NumberBuyer | null;
  registry: Registry;
}): ScalingSide {
  const { config, infrastructure, ambient, ids, schedule, buyer, registry } = input;
  const { db, redisUrl, stack } = infrastructure;
  const { clock, log } = ambient;
  const metrics = createPoolMetrics({ registry, db, clock, log });
  const works = config.roles.includes("jobs");
  const jobs = new ScaleJobs({ redisUrl, db, ids, schedule, buyer, clock, log, works, onDecision: metrics.decided });
  stack.push("scaling jobs", () => jobs.stop());
  return { jobs, metrics };
}
