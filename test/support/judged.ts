/** Calls from their arrival to their judged record, through the real opening and the real fold. */
import type { CallRecord } from "../../src/attribution/call-record.js";
import { type CallRef, getCall } from "../../src/attribution/calls.store.js";
import type { Database } from "../../src/db/database.js";
import type { AllocationRequest } from "../../src/pool/presentations.store.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { foldEvents } from "../../src/routing/fold-events.js";
import type { InboundCall } from "../../src/routing/inbound-call.js";
import { openCall } from "../../src/routing/open-call.js";
import { allocationFor, ids, inboundCall, secrets, type World } from "./world.js";

/** @param at ms; null: now. @returns the number, and when it was presented */
export async function presentTo(
  db: Database,
  world: World,
  visitorId: string,
  page: Partial<Pick<AllocationRequest, "touch" | "customData" | "context">> & { at?: number } = {},
): Promise<string> {
  const { at = null, ...rest } = page;
  const [outcome] = await presentBatch(db, [{ ...allocationFor(world, visitorId), ...rest }], at);
  if (outcome?.kind !== "presented" && outcome?.kind !== "renewed") throw new Error("no number was presented");
  return outcome.promoNumber;
}

/** Rings from now on, or rang at `late` and is recorded only now. */
export async function openTo(
  db: Database,
  number: string,
  changes: Partial<InboundCall> & { late?: number } = {},
): Promise<CallRef> {
  const { late = null, ...rest } = changes;
  const opening = { call: inboundCall(number, rest), callId: ids.next("call"), late };
  return (await openCall({ db, ids, secrets }, opening)).ref;
}

/** Everything that ends in one transaction is judged in it. */
export async function endCalls(db: Database, refs: readonly CallRef[]): Promise<CallRecord[]> {
  const end = {
    kind: "ended",
    status: "no_answer",
    releasedBy: "caller",
    cause: null,
    authority: 2,
    talkMs: null,
  } as const;
  await db.transaction((tx) =>
    foldEvents(
      tx,
      refs.map((ref) => ({ ref, events: [{ ...end, at: ref.receivedAt + 5_000 }] })),
    ),
  );
  return Promise.all(refs.map(({ callId }) => getCall(db, { id: callId, accountId: null })));
}

export async function callTo(
  db: Database,
  number: string,
  changes: Partial<InboundCall> & { late?: number } = {},
): Promise<CallRecord> {
  const [record] = await endCalls(db, [await openTo(db, number, changes)]);
  return record as CallRecord;
}
