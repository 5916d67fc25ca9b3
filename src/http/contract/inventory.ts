/** The carrier inventory on the wire: stock, orders, findings. */
import { z } from "zod";
import { toIso } from "../../kernel/clock.js";
import { ORDER_COUNT_MAX } from "../../pool/buy-numbers.js";
import { SELLERS } from "../../pool/carrier-inventory/carriers.js";
import { type Finding, FINDING_KINDS } from "../../pool/inventory-findings.store.js";
import { isOpen, ITEM_STATES, ORDER_STATES } from "../../pool/number-order.js";
import type { OrderedNumbers } from "../../pool/number-orders.store.js";
import { npaIn, numberType } from "./number.js";
import { e164In, e164Out, idIn, idOut, instantOut, pageQuery, reasonIn } from "./scalars.js";

const sellerIn = z.enum(SELLERS).meta({ description: "simulated: numbers that ring nowhere but here" });
const SEARCHED_MAX = 200;

export const stockQuery = z.strictObject({
  carrier: sellerIn.optional(),
  account_id: idIn.optional().meta({ description: "Searches with this account's own credential, if it has one" }),
  number_type: numberType,
  npa: npaIn.optional(),
  limit: z.int().min(1).max(SEARCHED_MAX).default(20),
});

export const stockOut = z.object({
  carrier: z.enum(SELLERS),
  credential_id: idOut.nullable(),
  numbers: z.array(z.object({ number: e164Out, type: numberType, npa: z.string().nullable() })),
});

export const newOrder = z
  .strictObject({
    carrier: sellerIn.optional(),
    account_id: idIn
      .optional()
      .meta({ description: "For whom; this account's own credential buys, if it has one, else the platform's" }),
    number_type: numberType,
    npa: npaIn.optional(),
    count: z.int().min(1).max(ORDER_COUNT_MAX),
    reason: reasonIn.default("ordered by hand"),
  })
  .superRefine((order, context) => {
    if (order.number_type === "local" && order.npa === undefined) {
      context.addIssue({ code: "custom", path: ["npa"], message: "is required for local numbers" });
    }
  });

export const orderOut = z.object({
  id: idOut,
  state: z.enum(ORDER_STATES).meta({
    description:
      "done: every number came. refused: some did not. unknown: of some nobody knows, see items; the hourly comparison takes over what shows up",
  }),
  carrier: z.string(),
  credential_id: idOut.nullable(),
  account_id: idOut.nullable(),
  pool_id: idOut.nullable(),
  number_type: numberType,
  npas: z.array(z.string()).nullable(),
  calling_code: z.string().nullable().meta({ description: "Outside the North American plan, for a pool: +44" }),
  count: z.int(),
  bought: z.array(e164Out),
  pending: z.int().meta({ description: "Numbers that are still to come" }),
  refusal: z.string().nullable(),
  reason: z.string(),
  actor: z.string(),
  created_at: instantOut,
  updated_at: instantOut,
  items: z.array(
    z.object({
      state: z.enum(ITEM_STATES),
      number: e164Out.nullable(),
      attempts: z.int(),
      problem: z.string().nullable().meta({ description: "What the carrier said last" }),
    }),
  ),
});

export const orderQuery = z.strictObject(pageQuery);

export const findingQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(FINDING_KINDS).optional(),
  open: z.enum(["true", "false"]).default("true").meta({ description: "false: those that are resolved as well" }),
});

export const findingOut = z.object({
  id: idOut,
  kind: z.enum(FINDING_KINDS).meta({
    description:
      "unknown_here: the carrier bills us for a number we do not have. gone_there: ours, and the carrier does not have it. retired_there: retired here, still billed there. port_arrived: a number being ported in is there. webhooks_repaired: its calls went elsewhere, put right. webhooks_wrong: they go elsewhere, and stay so",
  }),
  carrier: z.string(),
  credential_id: idOut,
  number: e164Out,
  detail: z.string(),
  first_seen_at: instantOut,
  last_seen_at: instantOut,
  resolved_at: instantOut.nullable(),
});

export const adoptionIn = z.strictObject({
  number: e164In,
  carrier: sellerIn.default("twilio"),
  credential_id: idIn.optional().meta({ description: "Where a finding says the number is, else the platform's" }),
  reason: reasonIn.default("taken over from the carrier's list"),
});

export function showOrder(order: OrderedNumbers): z.output<typeof orderOut> {
  const items = order.items.map(({ state, number, attempts, problem }) => ({ state, number, attempts, problem }));
  return {
    id: order.id,
    state: order.state,
    carrier: order.carrier,
    credential_id: order.credentialId,
    account_id: order.accountId,
    pool_id: order.poolId,
    number_type: order.numberType,
    npas: order.npas === null ? null : [...order.npas],
    calling_code: order.callingCode,
    count: order.count,
    bought: items.flatMap(({ state, number }) => (state === "done" && number !== null ? [number] : [])),
    pending: items.filter(({ state }) => isOpen(state)).length,
    refusal: order.refusal,
    reason: order.reason,
    actor: order.actor,
    created_at: toIso(order.createdAt),
    updated_at: toIso(order.updatedAt),
    items,
  };
}

export function showFinding(finding: Finding): z.output<typeof findingOut> {
  return {
    id: finding.id,
    kind: finding.kind,
    carrier: finding.carrier,
    credential_id: finding.credentialId,
    number: finding.number,
    detail: finding.detail,
    first_seen_at: toIso(finding.firstSeenAt),
    last_seen_at: toIso(finding.lastSeenAt),
    resolved_at: finding.resolvedAt === null ? null : toIso(finding.resolvedAt),
  };
}
