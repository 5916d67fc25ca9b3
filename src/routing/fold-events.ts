/** Folds what happened to many calls into their records, in one transaction. Used by the call log, in time and from the spool. */
import { lockProgress, type LockedProgress, type Progress, writeProgress } from "../attribution/call-progress.store.js";
import type { CallRef } from "../attribution/calls.store.js";
import { explainMatch } from "../attribution/explain.js";
import { type MatchSeen, readCandidatesOf } from "../attribution/match.store.js";
import type { Queryable } from "../db/database.js";
import type { CallId } from "../kernel/ids.js";
import type { CallEvent } from "../telephony/call-event.js";
import { applyCallEvent, type CallState } from "../telephony/call-state.js";

/** Each call at most once. */
export interface CallEvents {
  readonly ref: CallRef;
  readonly events: readonly CallEvent[];
}

/** @returns the calls that have a record and were written; the others have none (yet) */
export async function foldEvents(tx: Queryable, calls: readonly CallEvents[]): Promise<ReadonlySet<CallId>> {
  const known = await lockProgress(
    tx,
    calls.map(({ ref }) => ref),
  );
  const folded = calls.flatMap(({ ref, events }) => {
    const locked = known.get(ref.callId);
    if (locked === undefined) return [];
    return [{ ref, locked, progress: events.reduce<CallState>(applyCallEvent, locked.progress) }];
  });
  if (folded.length > 0) await writeProgress(tx, await withConfidence(tx, folded));
  return new Set(folded.map(({ ref }) => ref.callId));
}

interface Folded {
  readonly ref: CallRef;
  readonly locked: LockedProgress;
  readonly progress: CallState;
}

/** Judged once, when the call is over: it reads the log, which nothing on the way to the ringing phone does. */
async function withConfidence(tx: Queryable, calls: readonly Folded[]): Promise<Progress[]> {
  const over = calls.flatMap((call) => {
    const seen = call.progress.end === null ? null : unjudgedMatch(call);
    return seen === null ? [] : [{ call, seen }];
  });
  const candidates = await readCandidatesOf(
    tx,
    over.map(({ seen }) => seen),
  );
  const judged = new Map<Folded, number | null>();
  for (const [index, { call }] of over.entries()) {
    const { locked, ref } = call;
    const { confidence } = explainMatch({
      outcome: locked.attribution,
      matchedPresentationId: locked.presentationId,
      presentations: candidates[index] ?? [],
      receivedAt: ref.receivedAt,
    });
    judged.set(call, confidence);
  }
  return calls.map((call) => {
    const { ref, progress, locked } = call;
    return { ref, progress, confidence: judged.get(call) ?? locked.confidence };
  });
}

function unjudgedMatch({ ref, locked }: Folded): MatchSeen | null {
  const { confidence, attribution, accountId, poolId, numberId, ownershipEpoch, matchedSeq } = locked;
  if (confidence !== null || attribution !== "matched" || accountId === null || poolId === null) return null;
  if (numberId === null || ownershipEpoch === null || matchedSeq === null) return null;
  return { accountId, poolId, numberId, ownershipEpoch, matchedSeq, receivedAt: ref.receivedAt };
}
