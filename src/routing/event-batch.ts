/**
 * What happens to calls, gathered for a moment and written together: a call's ringing, answer and end that come close to each other are one update of
 * its record, and all calls of that moment one transaction. The order within a call is kept, and its record, where that is still to be written, comes
 * first. Used by the call log.
 */
import type { CallRef } from "../attribution/calls.store.js";
import type { CallId } from "../kernel/ids.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { CallEvents } from "./fold-events.js";
import type { UnwrittenCall } from "./unwritten-calls.js";

/**
 * Longer than a phone that answers at once takes to ring and be picked up, shorter than anybody looks at a record. A call's share of PostgreSQL's work
 * was measured 1.4 ms alone, 0.2 ms among 16, 0.1 ms among 64.
 */
const GATHER_MS = 100;
/** Of one transaction. */
const BATCH_MAX = 256;
/** A minute of a busy node; beyond it what comes goes the other way at once (the spool). */
const WAITING_MAX = 20_000;

/** What was handed over of one call, one after the other. */
export interface GatheredEvents extends CallEvents {
  /** Its record, when that is still to be written. */
  readonly opening: UnwrittenCall | null;
  /** May be none beside an opening. */
  readonly events: CallEvent[];
  /** Finds the record when it was opened under another id; null when `ref` came from the database. */
  readonly ingressKey: string | null;
}

interface Waiting extends GatheredEvents {
  readonly onWritten: (() => void)[];
}

export class EventBatch {
  private waiting = new Map<CallId, Waiting>();
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> | null = null;
  private beingWritten: ReadonlySet<CallId> = new Set();

  /** @param write takes every one of them, to the database or elsewhere; never rejects */
  constructor(private readonly write: (batch: readonly GatheredEvents[]) => Promise<void>) {}

  get isFull(): boolean {
    return this.waiting.size >= WAITING_MAX;
  }

  /** The first that is handed over of its call. Resolves when the record is where it is to stay. */
  open(opening: UnwrittenCall): Promise<void> {
    return this.wait({ ref: opening.ref, opening, events: [], ingressKey: opening.record.ingressKey, onWritten: [] });
  }

  /** Resolves when the events are where they are to stay. */
  add(ref: CallRef, events: readonly CallEvent[], ingressKey: string | null): Promise<void> {
    const waiting = this.waiting.get(ref.callId) ?? { ref, opening: null, events: [], ingressKey, onWritten: [] };
    waiting.events.push(...events);
    return this.wait(waiting);
  }

  private wait(waiting: Waiting): Promise<void> {
    this.waiting.set(waiting.ref.callId, waiting);
    this.writeSoon();
    return new Promise((resolve) => waiting.onWritten.push(resolve));
  }

  /** Resolves when everything handed over of this call is where it is to stay; other calls' events hold it up by one batch at the most. */
  async settle(callId: CallId): Promise<void> {
    while (this.waiting.has(callId) || this.beingWritten.has(callId)) await (this.writing ?? this.writeNow());
  }

  /** Writes everything that waits, now. */
  async flush(): Promise<void> {
    while (this.waiting.size > 0 || this.writing !== null) await (this.writing ?? this.writeNow());
  }

  private writeSoon(): void {
    // One at a time: a call's later events must not overtake its earlier ones.
    if (this.writing !== null || this.timer !== null || this.waiting.size === 0) return;
    if (this.waiting.size >= BATCH_MAX) void this.writeNow();
    else this.timer = setTimeout(() => void this.writeNow(), GATHER_MS);
  }

  private writeNow(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const waiting = [...this.waiting];
    const batch = waiting.slice(0, BATCH_MAX).map(([, call]) => call);
    // A new map instead of deletions: each of V8's tables that a map outgrew or emptied refers to its next one, and keeps what was in it from being
    // collected until the next collection of everything.
    this.waiting = new Map(waiting.slice(BATCH_MAX));
    this.beingWritten = new Set(batch.map(({ ref }) => ref.callId));
    this.writing = this.write(batch).then(() => {
      this.writing = null;
      this.beingWritten = new Set();
      for (const { onWritten } of batch) for (const written of onWritten) written();
      this.writeSoon();
    });
    return this.writing;
  }
}
