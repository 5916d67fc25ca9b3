/**
 * Many calls that could not be opened in time, with what has happened to them since: matched on the log as of their arrival, and written as they stand by
 * now. Used by the replay of the spool.
 */
import { readNumbersFactsAt } from "../attribution/match.store.js";
import type { Instant } from "../kernel/clock.js";
import type { CallId } from "../kernel/ids.js";
import type { CallEvent } from "../telephony/call-event.js";
import { type CallEvents, foldEvents } from "./fold-events.js";
import {
  decideCall,
  isIntercepted,
  newRecord,
  type OpenCallDeps,
  type Opening,
  writeIntercepted,
} from "./open-call.js";

export interface LateOpening extends Opening {
  /** By the database's clock as known then. */
  readonly receivedAt: Instant;
  /** Those that are known. */
  readonly events: readonly CallEvent[];
}

/**
 * What fails half-way may be tried again: a call that has its record keeps it.
 * @returns the calls whose events are in their records now. The others had a record under their key already, or are intercepts
 */
export async function openLateCalls(deps: OpenCallDeps, calls: readonly LateOpening[]): Promise<ReadonlySet<CallId>> {
  const seen = await readNumbersFactsAt(
    deps.db,
    calls.map(({ call, receivedAt }) => ({ e164: call.promoNumber, at: receivedAt })),
  );
  const together: CallEvents[] = [];
  for (const [index, late] of calls.entries()) {
    const { callId, receivedAt, events } = late;
    const matched = decideCall(late, { now: receivedAt, facts: seen[index] ?? null, isLate: true });
    if (isIntercepted(matched)) await writeIntercepted(deps, matched);
    else together.push({ ref: { callId, receivedAt }, events, opening: { record: newRecord(deps, matched) } });
  }
  return together.length === 0 ? new Set() : deps.db.transaction((tx) => foldEvents(tx, together));
}
