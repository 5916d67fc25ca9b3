/**
 * allocate_number and bulk: servers ask for a number of a pool that they hold the key of. The same batch, locks and durability as for pages. Bot rules and
 * address limits are for the anonymous: here a server that keeps a secret speaks for all its visitors from one address, and has seen them itself.
 */
import type { Allocation } from "../../pool/presentations.store.js";
import { allocateFrom } from "../../pool/allocate-from.js";
import type { HttpDeps } from "../http-deps.js";
import type { HttpMetrics } from "../http-metrics.js";
import { type AllocationParams, readAllocationParams } from "./allocation-params.js";
import { type ErrorClass, InvocaError } from "./invoca-error.js";
import { dashed, nationalDigits } from "./national-number.js";
import { isRingPoolKey } from "./ring-pool-key.js";
import { readServedPools, type ServedPool } from "./served-pools.store.js";

export interface AllocationAsked {
  readonly poolId: string;
  readonly query: Readonly<Record<string, string>>;
}

export interface AllocatedNumber {
  readonly kind: "allocated";
  /** `888-390-6665` */
  readonly formatted: string;
  /** `8883906665` */
  readonly number: string;
  /** The landing page with the number in its query; null without one. */
  readonly trackingUrl: string | null;
  /** Not the visitor's own: the pool's overflow number, or, where it has none, the business's own number. */
  readonly isOverflow: boolean;
}

export type AllocationResult =
  | AllocatedNumber
  | { readonly kind: "refused"; readonly errorClass: ErrorClass; readonly message: string }
  | { readonly kind: "failed"; readonly error: unknown };

export type AllocateDeps = HttpDeps & { readonly presented: HttpMetrics["presented"] };

/** One result for each, in order; all go into the process's batch at once. @throws when the pools cannot be looked up */
export async function allocateNumbers(
  deps: AllocateDeps,
  asked: readonly AllocationAsked[],
  options: { needsParameter: boolean },
): Promise<AllocationResult[]> {
  const read = asked.map(({ poolId, query }) => ({ poolId, params: paramsOf(deps, poolId, query, options) }));
  const named = new Set(read.flatMap(({ poolId, params }) => ("kind" in params ? [] : [poolId])));
  const pools = named.size === 0 ? new Map<string, ServedPool>() : await readServedPools(deps.db, [...named]);
  return Promise.all(
    read.map(async ({ poolId, params }) => {
      if ("kind" in params) return params;
      const pool = pools.get(poolId);
      // A pool that was deleted: its key opens nothing any more.
      if (pool === undefined) return wrongKey(params.key, poolId);
      try {
        return await allocateOne(deps, pool, params);
      } catch (error) {
        return { kind: "failed" as const, error };
      }
    }),
  );
}

/** @throws InvocaError */
export function assertAllocated(result: AllocationResult | undefined): AllocatedNumber {
  if (result?.kind === "allocated") return result;
  if (result?.kind === "refused") throw new InvocaError(result.errorClass, result.message);
  throw result?.error;
}

function paramsOf(
  deps: AllocateDeps,
  poolId: string,
  query: Readonly<Record<string, string>>,
  { needsParameter }: { needsParameter: boolean },
): AllocationParams | (AllocationResult & { kind: "refused" }) {
  const key = query["ring_pool_key"] ?? "";
  if (!isRingPoolKey(deps.secrets, poolId, key)) return wrongKey(key, poolId);
  const params = readAllocationParams(query);
  if ("refusal" in params) return { kind: "refused", errorClass: "InvalidInput", message: params.refusal };
  if (needsParameter && params.parameters === 0) {
    return { kind: "refused", errorClass: "InvalidInput", message: "At least one RingPool parameter must be present" };
  }
  return params;
}

/** Says nothing of whether there is such a pool. */
function wrongKey(key: string, poolId: string): AllocationResult & { kind: "refused" } {
  const message = `API Key '${key}' is not valid for resource '${poolId}'`;
  return { kind: "refused", errorClass: "InvalidKey", message };
}

async function allocateOne(deps: AllocateDeps, pool: ServedPool, params: AllocationParams): Promise<AllocationResult> {
  const fresh = deps.ids.next("vis");
  const { touch, customData, context, visitorId } = params;
  const allocation = await allocateFrom(deps, {
    ...{ accountId: pool.accountId, pool, visitorId: visitorId ?? fresh, freshVisitorId: fresh },
    ...{ touch, customData, context },
  });
  if (allocation.kind === "gone") return wrongKey(params.key, pool.id);
  const { number, outcome } = shownOf(pool, allocation);
  deps.presented(outcome);
  return {
    kind: "allocated",
    formatted: dashed(number),
    number: nationalDigits(number),
    trackingUrl: params.landingPage === null ? null : trackingUrlOf(params.landingPage, nationalDigits(number)),
    isOverflow: outcome === "overflow" || outcome === "original",
  };
}

function shownOf(
  pool: ServedPool,
  allocation: Exclude<Allocation, { kind: "gone" }>,
): { number: string; outcome: "presented" | "renewed" | "overflow" | "original" } {
  if (allocation.kind !== "exhausted") return { number: allocation.promoNumber, outcome: allocation.kind };
  const { overflowNumber } = allocation;
  // Without overflow the page keeps its own number, so that is the one to show.
  if (overflowNumber === null) return { number: pool.destinationNumber, outcome: "original" };
  return { number: overflowNumber, outcome: "overflow" };
}

/**
 * Invoca's link goes through its own click counter and then to `landing?sid=…&PPCPN=…`; ours goes there at once.
 * @returns null for what is no web address
 */
export function trackingUrlOf(landingPage: string, number: string): string | null {
  if (!URL.canParse(landingPage) || !/^https?:$/.test(new URL(landingPage).protocol)) return null;
  // By hand: parsing the query and writing it again would change how the page's own parameters are encoded.
  const [page = "", ...fragment] = landingPage.split("#");
  const [path = "", ...query] = page.split("?");
  const own = query
    .join("?")
    .split("&")
    // A page that was reached by such a link has the former ones, and most readers take the first.
    .filter((pair) => pair !== "" && !/^(sid|PPCPN)(=|$)/.test(pair));
  const link = `${path}?${[...own, `sid=${number}`, `PPCPN=${number}`].join("&")}`;
  return fragment.length === 0 ? link : `${link}#${fragment.join("#")}`;
}
