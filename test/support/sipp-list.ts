/** sipp-scenarios/scenarios.json: the one list of scenarios that test/sip/sipp-scenarios.test.ts plays and `npm run sipp` lets a person choose from. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";

const LIST = resolve(import.meta.dirname, "../../sipp-scenarios/scenarios.json");

const scenario = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  proves: z.string(),
  /** What is so before the caller calls; without it the number was just presented to a visitor. */
  arrangement: z.enum(["quarantined", "unknown", "trunk_full", "draining"]).optional(),
  caller: z.strictObject({
    scenario: z.string(),
    transport: z.enum(["u1", "t1"]).optional(),
    status: z.number().optional(),
    calls: z.number().optional(),
    rate: z.number().optional(),
  }),
  /** The destination's targets in the order of the hunt: sipp scenarios, or "phone" for our own phone, which answers. */
  businesses: z.array(z.string()),
  ringTimeoutS: z.number().optional(),
  /** Share of packets lost between the service and each side. */
  loss: z.number().optional(),
  /** Columns of every call's record; null: there must be none. */
  record: z.looseObject({ status: z.string() }).nullable(),
  /** SIP status of each attempt. Businesses beyond these must not be called. */
  attempts: z.array(z.number().nullable()),
  /** Passed on to the business in each call. */
  reinvites: z.number().optional(),
  atLeast: z.record(z.string(), z.number()).optional(),
  /** What drachtio-server does instead, where the scenario holds on the embedded edge only. */
  edgeOnly: z.string().optional(),
});

export type SippScenario = z.infer<typeof scenario>;

export const sippScenarios: readonly SippScenario[] = z.array(scenario).parse(JSON.parse(readFileSync(LIST, "utf8")));
