/**
 * Folds what happened to many calls into their records, in one transaction; a record that is yet to be written is inserted as it stands by then. Used by
 * the call log, in time and from the spool.
 */
import { lockProgress, type LockedProgress, writeProgress } from "../attribution/call-progress.store.js";
import { type CallRef, findCallsByKeys } from "../attribution/calls.store.js";
import { callerOf, judgeCalls, type OverCall } from "../attribution/judging/judge-calls.js";
import type { JudgedCall } from "../attribution/judging/judged-call.js";
import { insertCalls, type NewCall } from "../attribution/new-calls.store.js";
import type { Queryable } from "../db/database.js";
import { byAnyJoin } from "../db/planner.js";
import type { CallId } from "../kernel/ids.js";
import type { CallEvent } from "../telephony/call-event.js";
import { applyCallEvent, type CallState } from "../telephony/call-state.js";

/** Each call at most once. */
export interface CallEvents {
  readonly ref: CallRef;
  readonly events: readonly CallEvent[];
  /** Its record, when that is yet to be inserted: as the events leave it. */
  readonly opening?: { readonly record: NewCall } | null;
}

/** @returns the calls that have a record and were written; the others have none (yet), or another one under their key */
export async function foldEvents(tx: Queryable, calls: readonly CallEvents[]): Promise<ReadonlySet<CallId>> {
  const opened = calls.flatMap(({ opening, events }) => (opening ? openedAs(opening.record, events) : []));
  const folded = await foldRecorded(
    tx,
    calls.filter(({ opening }) => !opening),
  );
  const judged = await judgeOver(tx, folded, opened);
  if (folded.length > 0)
    await writeProgress(
      tx,
      folded.map(({ ref, progress }) => ({ ref, progress, judged: judged.get(ref.callId) ?? null })),
    );
  const inserted = await insertOpened(tx, opened, judged);
  return new Set([...inserted, ...folded.map(({ ref }) => ref.callId)]);
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

async function foldRecorded(tx: Queryable, calls: readonly CallEvents[]): Promise<Folded[]> {
  if (calls.length === 0) return [];
  const known = await lockProgress(
    tx,
    calls.map(({ ref }) => ref),
  );
  return calls.flatMap(({ ref, events }) => {
    const locked = known.get(ref.callId);
    return locked === undefined ? [] : [{ ref, locked, progress: events.reduce(applyCallEvent, locked.progress) }];
  });
}

function openedAs(record: NewCall, events: readonly CallEvent[]): NewCall {
  return { ...record, progress: events.reduce(applyCallEvent, record.progress) };
}

/** Judged once, when the call is over: it reads the log, which nothing on the way to the ringing phone does. */
async function judgeOver(
  tx: Queryable,
  folded: readonly Folded[],
  opened: readonly NewCall[],
): Promise<ReadonlyMap<CallId, JudgedCall>> {
  const calls = opened.map((record) => ({ record, over: asOver(record) }));
  const over: OverCall[] = [
    ...folded.flatMap(({ ref, locked, progress }) =>
      progress.end !== null && locked.judgedAt === null ? { ref, ...locked } : [],
    ),
    ...calls.flatMap(({ record, over }) => (record.progress.end === null ? [] : over)),
  ];
  if (over.length === 0) return new Map();
  const judged = await judgeCalls(
    tx,
    over,
    calls.flatMap(({ over }) => callerOf(over) ?? []),
  );
  return new Map(over.map(({ ref }, index) => [ref.callId, judged[index] as JudgedCall]));
}

function asOver({ id, attribution, caller, receivedAt, ...record }: NewCall): OverCall {
  const { outcome, ...matched } = attribution;
  return { ref: { callId: id, receivedAt }, ...record, ...matched, attribution: outcome, callerHash: caller.hash };
}

async function insertOpened(
  tx: Queryable,
  opened: readonly NewCall[],
  judged: ReadonlyMap<CallId, JudgedCall>,
): Promise<ReadonlySet<CallId>> {
  if (opened.length === 0) return new Set();
  await byAnyJoin(tx);
  return insertCalls(
    tx,
    opened.map((record) => ({ ...record, judged: judged.get(record.id) ?? null })),
  );
}
