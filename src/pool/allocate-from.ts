/** One visitor gets a number of one pool: through the process's batch, with an exhausted pool noted. Asked by pages (present.ts) and by servers. */
import type { IdSource } from "../kernel/ids.js";
import type { AllocationBatch } from "./allocation-batch.js";
import type { DirectoryPool } from "./directory.js";
import type { ExhaustionCounter } from "./exhaustion-counter.js";
import type { Allocation, AllocationRequest } from "./presentations.store.js";

export interface AllocateDeps {
  readonly batch: AllocationBatch;
  readonly exhaustions: Pick<ExhaustionCounter, "note">;
  readonly ids: IdSource;
}

export type Visit = Omit<AllocationRequest, "poolId" | "presentationId" | "logId"> & {
  readonly pool: DirectoryPool;
  /** As AllocationBatch.allocate takes it: now, where nothing was waited for before. */
  readonly since?: number;
};

/** Committed when it is answered. @throws as AllocationBatch.allocate does */
export async function allocateFrom(deps: AllocateDeps, visit: Visit): Promise<Allocation> {
  const { pool, since } = visit;
  const request: AllocationRequest = {
    // Name by name: a copy by "..." costs more than everything else here, on every page view.
    accountId: visit.accountId,
    poolId: pool.id,
    visitorId: visit.visitorId,
    freshVisitorId: visit.freshVisitorId,
    presentationId: deps.ids.next("prs"),
    logId: deps.ids.next("prl"),
    touch: visit.touch,
    customData: visit.customData,
    context: visit.context,
  };
  const allocation = await deps.batch.allocate(request, since);
  if (allocation.kind === "exhausted") deps.exhaustions.note(pool);
  return allocation;
}
