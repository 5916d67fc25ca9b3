/** Whom numbers are bought from, what buys them for pools, and the jobs that go on with what was begun. */
import type { Config } from "../config.js";
import { InventoryJobs } from "../jobs/inventory-jobs.js";
import type { IdSource } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";
import { createNumberBuyer } from "../pool/buy-numbers.js";
import { type Carriers, createCarriers } from "../pool/carrier-inventory/carriers.js";
import type { NumberBuyer } from "../pool/number-buyer.js";
import type { Ambient } from "./ambient.js";
import type { Infrastructure } from "./infrastructure.js";

export interface Inventory {
  readonly carriers: Carriers;
  readonly buyer: NumberBuyer;
  readonly jobs: InventoryJobs;
}

/** Its jobs are started by the caller, when everything else is there. */
export function startInventory(input: {
  config: Config;
  infrastructure: Infrastructure;
  ambient: Ambient;
  ids: IdSource;
  secrets: Secrets;
}): Inventory {
  const { config, infrastructure, ambient, ids, secrets } = input;
  const { db, redisUrl, stack } = infrastructure;
  const { clock, log } = ambient;
  const carriers = createCarriers({
    db,
    secrets,
    clock,
    twilioApiUrl: config.twilioApiUrl,
    defaultCarrier: config.numberCarrier ?? "twilio",
    allowsSimulated: config.isEmbedded || config.numberCarrier === "simulated",
  });
  const { publicBaseUrl, fallbackBaseUrl } = config;
  const deps = { db, ids, carriers, clock, log, publicBaseUrl, fallbackBaseUrl };
  const jobs = new InventoryJobs({ ...deps, redisUrl, works: config.roles.includes("jobs") });
  stack.push("inventory jobs", () => jobs.stop());
  return { carriers, buyer: createNumberBuyer(deps), jobs };
}
