/** Folds what happened to many calls into their records, in one transaction. Used by the call log, in time and from the spool. */
import { lockProgress, type LockedProgress, type Progress, writeProgress } from "../attribution/call-progress.store.js";
import { type CallRef, findCallsByKeys } from "../attribution/calls.store.js";
import { judgeCalls, type OverCall } from "../attribution/judging/judge-calls.js";
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
  if (folded.length > 0) await writeProgress(tx, await withJudgements(tx, folded));
  return new Set(folded.map(({ ref }) => ref.callId));
}

export interface KeyedEvents extends CallEvents {
  readonly ingressKey: string | null;
}

/** As `foldEvents`, of calls whose records have another id or time than they were told: several of ours may stand for one call, earlier events first. */
export async function foldEventsByKey(tx: Queryable, calls: readonly KeyedEvents[]): Promise<ReadonlySet<CallId>> {
  const known = await findCallsByKeys(
    tx,
    calls.flatMap(({ ingressKey }) => ingressKey ?? []),
  );
  const found = calls.flatMap(({ ref, ingressKey, events }) => {
    const record = known.get(ingressKey ?? "");
    return record === undefined ? [] : [{ told: ref.callId, ref: record, events }];
  });
  const together = new Map<CallId, CallEvents>();
  for (const { ref, events } of found) {
    const earlier = together.get(ref.callId)?.events ?? [];
    together.set(ref.callId, { ref, events: [...earlier, ...events] });
  }
  const written = await foldEvents(tx, [...together.values()]);
  return new Set(found.filter(({ ref }) => written.has(ref.callId)).map(({ told }) => told));
}

interface Folded {
  readonly ref: CallRef;
  readonly locked: LockedProgress;
  readonly progress: CallState;
}

/** Judged once, when the call is over: it reads the log, which nothing on the way to the ringing phone does. */
async function withJudgements(tx: Queryable, calls: readonly Folded[]): Promise<Progress[]> {
  const over = calls.filter(({ progress, locked }) => progress.end !== null && locked.judgedAt === null);
  const judged = over.length === 0 ? [] : await judgeCalls(tx, over.map(overCall));
  const byCall = new Map(over.map((call, index) => [call, judged[index]]));
  return calls.map((call) => ({ ref: call.ref, progress: call.progress, judged: byCall.get(call) ?? null }));
}

function overCall({ ref, locked }: Folded): OverCall {
  return { ref, ...locked };
}
