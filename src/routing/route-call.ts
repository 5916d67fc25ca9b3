/**
 * From an inbound call to a decision. Matching comes first and is given 150 ms; a phone rings in any case: when the database does not answer in
 * time, the routing table decides and the record is attributed afterwards. Called by every ingress, once for each INVITE or voice webhook.
 */
import type { CallRef } from "../attribution/calls.store.js";
import { sqlState } from "../db/database.js";
import type { DatabaseClock } from "../db/database-clock.js";
import type { Clock, Instant } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { CallLog } from "./call-log.js";
import { type Decision, decide } from "./decision.js";
import type { InboundCall } from "./inbound-call.js";
import type { OpenCallDeps, OpenedCall } from "./open-call.js";
import type { RoutingTable } from "./routing-table.js";

/** Longer than any match that works (p99 is a few ms), shorter than a caller notices (contract §5). */
export const MATCH_LIMIT_MS = 150;

export interface RoutedCall {
  readonly ref: CallRef;
  /** When this very INVITE or webhook came, by the database's clock; the record of a repeat came before. */
  readonly arrivedAt: Instant;
  readonly decision: Decision;
  readonly isRepeat: boolean;
  /** Attempts the record has already; more than none only for a repeat. */
  readonly attemptsBefore: number;
  /** Whom the record is attributed to; null unless matched, and while that is not known (`isLate`). */
  readonly presentationId: string | null;
  /** The record is written later, from the spool. */
  readonly isLate: boolean;
}

export interface RouteCallDeps extends OpenCallDeps {
  readonly table: RoutingTable;
  readonly callLog: CallLog;
  readonly databaseClock: DatabaseClock;
  readonly clock: Clock;
  readonly log: Log;
}

/** Never throws. */
export async function routeCall(deps: RouteCallDeps, call: InboundCall): Promise<RoutedCall> {
  const callId = deps.ids.next("call");
  const sentMs = deps.clock.monotonicMs();
  const arrivedAt = deps.databaseClock.now();
  const waiting: Waiting = { aborted: false, reason: WAITS_NO_MORE };
  const opening = deps.callLog.open({ call, callId, signal: waiting });
  const opened = await inTime(deps, opening, waiting);
  if (opened !== null) {
    deps.databaseClock.seen(opened.databaseNow, sentMs);
    const { ref, databaseNow: arrivedAt, decision, isRepeat, attemptsBefore, presentationId } = opened;
    return { ref, arrivedAt, decision, isRepeat, attemptsBefore, presentationId, isLate: false };
  }
  // A match made in time may still be written behind our back; the spool then finds the record under the call's key and leaves it.
  deps.callLog.openLate({ call, callId, receivedAt: arrivedAt });
  return {
    ref: { callId, receivedAt: arrivedAt },
    arrivedAt,
    decision: decide(deps.table.find(call.promoNumber)),
    isRepeat: false,
    attemptsBefore: 0,
    presentationId: null,
    isLate: true,
  };
}

/** What an AbortSignal says, for those who only look: a controller of its own for each call was measured at 1 % of this thread's time. */
interface Waiting {
  aborted: boolean;
  readonly reason: Error;
}

/** One for all: the stack of one made for each call was measured at 3 % of this thread's time. */
const WAITS_NO_MORE = new Error("the call waits no more");

async function inTime(deps: RouteCallDeps, opening: Promise<OpenedCall>, waiting: Waiting): Promise<OpenedCall | null> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      // After a stall of this process the answer may have come in time and just not been read: it is, before this turn of the event loop ends.
      setImmediate(() => {
        waiting.aborted = true;
        resolve(null);
      });
    }, MATCH_LIMIT_MS);
  });
  try {
    return await Promise.race([opening, limit]);
  } catch (error) {
    // In a rush there are thousands; the spool's counter tells of them.
    if (!(error instanceof AppError && error.code === "overloaded")) {
      deps.log.warn("call.match_failed", { error: messageOf(error), sqlState: sqlState(error) });
    }
    return null;
  } finally {
    clearTimeout(timer);
    // A failure after the limit was decided upon is nobody's surprise any more.
    opening.catch(() => undefined);
  }
}
