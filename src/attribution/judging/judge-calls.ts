/**
 * Judges calls that are over, all of a transaction together: three statements beside the candidates', however many calls. Called when events are folded
 * (routing/fold-events.ts): nothing on the way to the ringing phone reads the log.
 */
import type { Queryable } from "../../db/database.js";
import { inIndexOrder } from "../../db/planner.js";
import type { CallRef } from "../calls.store.js";
import { PRIOR_MODEL } from "./delay-model.js";
import { readNewestModels } from "./delay-model.store.js";
import {
  type CallersCall,
  linkLaterCalls,
  type MatchedVisitor,
  readEarlierCalls,
  readVisits,
  withUnwritten,
} from "./judge.store.js";
import { judge, type JudgeInput } from "./judge-call.js";
import type { JudgedCall } from "./judged-call.js";
import type { AttributionOutcome } from "../match.js";
import { type MatchSeen, readCandidatesOf } from "../candidates.store.js";

/** What its record says of a call that is over. */
export interface OverCall {
  readonly ref: CallRef;
  readonly attribution: AttributionOutcome;
  readonly presentationId: string | null;
  readonly visitorId: string | null;
  readonly presentedAt: number | null;
  readonly accountId: string | null;
  readonly poolId: string | null;
  readonly numberId: number | null;
  readonly ownershipEpoch: number | null;
  readonly matchedSeq: number | null;
  readonly touch: Readonly<Record<string, unknown>> | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
  readonly callerHash: Buffer | null;
  /** Recorded after the fact: calls that came later may have been judged without it. */
  readonly late: boolean;
}

/**
 * One for each call, in their order. In a transaction that sorts nothing afterwards (db/planner.ts).
 * @param unwritten calls, over or not, that the same transaction is yet to insert
 */
export async function judgeCalls(
  tx: Queryable,
  calls: readonly OverCall[],
  unwritten: readonly CallersCall[] = [],
): Promise<JudgedCall[]> {
  await inIndexOrder(tx);
  const seen = await readWhatTheySaw(tx, calls);
  const models = await readNewestModels(
    tx,
    calls.flatMap(({ attribution, poolId }) => (attribution === "matched" && poolId !== null ? [poolId] : [])),
  );
  const callers = calls.map(callerOf);
  const asked = present(callers);
  const earlier = spread(callers, withUnwritten(asked, await readEarlierCalls(tx, asked), unwritten));
  await linkLaterCalls(tx, present(callers.map((caller, i) => (calls[i]?.late === true ? caller : null))));
  return calls.map((call, i) => ({
    earlierCalls: earlier[i] ?? null,
    ...judge({
      call: { outcome: call.attribution, receivedAt: call.ref.receivedAt, ...call },
      model: models.get(call.poolId ?? "") ?? PRIOR_MODEL,
      ...(seen[i] as WhatACallSaw),
    }),
  }));
}

/** Of the log and the account's settings; empty where nobody was matched. */
export type WhatACallSaw = Pick<JudgeInput, "candidates" | "visits" | "customDataModels">;

/** One for each call, in their order. Also what a replay judges again from. */
export async function readWhatTheySaw(db: Queryable, calls: readonly OverCall[]): Promise<WhatACallSaw[]> {
  const matches = calls.map(matchOf);
  const candidates = spread(matches, await readCandidatesOf(db, present(matches)));
  const ways = spread(matches, await readVisits(db, present(matches)));
  return calls.map((_, i) => ({
    candidates: candidates[i] ?? [],
    visits: ways[i]?.visits ?? [],
    customDataModels: ways[i]?.models ?? {},
  }));
}

function matchOf(call: OverCall): (MatchSeen & MatchedVisitor) | null {
  const { attribution, accountId, poolId, numberId, ownershipEpoch, matchedSeq, visitorId, presentedAt, ref } = call;
  if (attribution !== "matched" || accountId === null || poolId === null || numberId === null) return null;
  if (ownershipEpoch === null || matchedSeq === null || visitorId === null || presentedAt === null) return null;
  const { receivedAt } = ref;
  return { accountId, poolId, numberId, ownershipEpoch, matchedSeq, visitorId, presentedAt, receivedAt };
}

export function callerOf({
  ref,
  accountId,
  callerHash,
}: Pick<OverCall, "ref" | "accountId" | "callerHash">): CallersCall | null {
  if (accountId === null || callerHash === null) return null;
  return { id: ref.callId, receivedAt: ref.receivedAt, accountId, callerHash };
}

function present<T>(items: readonly (T | null)[]): T[] {
  return items.flatMap((item) => (item === null ? [] : [item]));
}

/** What was found for those that are there, back in the places of all. */
function spread<T>(asked: readonly unknown[], found: readonly T[]): (T | undefined)[] {
  let next = 0;
  return asked.map((item) => (item === null ? undefined : found[next++]));
}
