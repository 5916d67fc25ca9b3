/**
 * On a busy node a call's phone rings before its record is in the database: its match is written to the journal, and the record together with what
 * happens in the next moment, of all calls at once. Where few calls come the record is first, and nobody notices the milliseconds. Used by the call log.
 */
import type { CallRef } from "../attribution/calls.store.js";
import type { NewCall } from "../attribution/new-calls.store.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { CallJournal, JournalFile } from "./call-journal.js";
import { type MatchedCall, newRecord, type OpenCallDeps } from "./open-call.js";
import { type OpenedLater, toSpoolAs } from "./spooled-call.js";

/** A node is busy when so many calls came within so long: fifty a second. */
const BUSY_CALLS = 5;
const BUSY_MS = 100;

/** A call that rings, and what is to be written of it. */
export interface UnwrittenCall {
  readonly ref: CallRef;
  readonly record: NewCall;
  /** For the spool, if the database is away by then. */
  readonly entry: OpenedLater;
  readonly file: JournalFile;
}

export interface UnwrittenCallsDeps extends OpenCallDeps {
  readonly journal: CallJournal<OpenedLater>;
  readonly clock: Clock;
  readonly log: Log;
}

export class UnwrittenCalls {
  private readonly byKey = new Map<string, CallId>();
  /** When the latest calls came, monotonic. */
  private readonly latestMs: number[] = [];

  constructor(private readonly deps: UnwrittenCallsDeps) {}

  find(ingressKey: string): CallId | null {
    return this.byKey.get(ingressKey) ?? null;
  }

  /** @returns the calls in the journal, which may ring; none when their records are to be written first */
  take(calls: readonly MatchedCall[]): readonly UnwrittenCall[] {
    if (!this.isBusyWith(calls.length)) return [];
    const { deps } = this;
    const kept = calls.map((matched) => {
      const { call, callId, receivedAt } = matched;
      const record = newRecord(deps, matched);
      const entry: OpenedLater = { kind: "open", callId, receivedAt, call: toSpoolAs(call, record) };
      return { ref: { callId, receivedAt }, record, entry };
    });
    let file: JournalFile;
    try {
      file = deps.journal.append(kept.map(({ entry }) => entry));
    } catch (error) {
      deps.log.error("call.journal_failed", { error: messageOf(error) });
      return [];
    }
    for (const { ref, record } of kept) this.byKey.set(record.ingressKey, ref.callId);
    return kept.map((call) => ({ ...call, file }));
  }

  /** In the database or in the spool. */
  written({ record, file }: UnwrittenCall): void {
    this.byKey.delete(record.ingressKey);
    this.deps.journal.written(file, 1);
  }

  private isBusyWith(count: number): boolean {
    const nowMs = this.deps.clock.monotonicMs();
    for (let n = 0; n < Math.min(count, BUSY_CALLS); n++) this.latestMs.push(nowMs);
    while (this.latestMs.length > BUSY_CALLS) this.latestMs.shift();
    const [firstMs] = this.latestMs;
    return this.latestMs.length === BUSY_CALLS && firstMs !== undefined && nowMs - firstMs <= BUSY_MS;
  }
}

/**
 * Not where somebody else may ask for the record as soon as the phone rings: a business that is told the call's id, a carrier whose next webhook may
 * come to another node. Nor a call that reaches nobody, which is over when it is answered.
 */
export function mayRingFirst({ call, decision }: MatchedCall): boolean {
  return call.node !== null && decision.kind === "route" && !decision.passIds;
}
