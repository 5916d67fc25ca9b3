/**
 * Writes what happens to calls: opens records, folds events into them, and keeps everything in the spool while the database is away. Never throws
 * towards a call and never makes one wait: recording is not what rings the phone.
 */
import type { CallRef } from "../attribution/calls.store.js";
import { isUnavailable, sqlState } from "../db/database.js";
import { inHalves } from "../db/in-halves.js";
import type { Instant } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { CallJournal } from "./call-journal.js";
import { EventBatch, type GatheredEvents } from "./event-batch.js";
import { EventJournal } from "./event-journal.js";
import { foldEvents, foldEventsByKey } from "./fold-events.js";
import type { InboundCall } from "./inbound-call.js";
import type { MatchedCall, OpenedCall } from "./open-call.js";
import { openLateCalls } from "./open-late-calls.js";
import { type InTimeOpening, OpeningBatch, type OpeningBatchDeps } from "./opening-batch.js";
import { Rush } from "./rush.js";
import type { Spool } from "./spool.js";
import { SpoolReplay } from "./spool-replay.js";
import { fromSpool, type OpenedLater, type SpooledEvents, type SpoolEntry, toSpool } from "./spooled-call.js";
import { UnwrittenCalls } from "./unwritten-calls.js";

/** The database may be back: look this often while the spool holds something. */
const REPLAY_EVERY_MS = 1_000;

export interface CallLogOptions extends OpeningBatchDeps {
  readonly spool: Spool<SpoolEntry>;
  readonly journal: CallJournal<OpenedLater>;
  readonly eventJournal: CallJournal<SpooledEvents>;
  readonly log: Log;
}

export class CallLog {
  private readonly openings: OpeningBatch;
  private readonly unwritten: UnwrittenCalls;
  private readonly events = new EventBatch((batch) => this.writeOrSpool(batch));
  private readonly eventJournal: EventJournal;
  private timer: NodeJS.Timeout | null = null;
  private replaying: Promise<void> | null = null;
  private readonly rush = new Rush();
  /** Told once, when what a former life left in the spool is in the database, or cannot be written for now. */
  private onCaughtUp: (() => void) | null = null;
  private isStopped = false;
  /** Calls with something in the spool: what follows goes there too, or it would be written before what came first. */
  private readonly spooled = new Set<string>();

  constructor(private readonly options: CallLogOptions) {
    this.unwritten = new UnwrittenCalls(options);
    this.eventJournal = new EventJournal(options.eventJournal, options.log);
    this.openings = new OpeningBatch(options, {
      take: (calls) => this.take(calls),
      holds: (ingressKey) => this.unwritten.find(ingressKey) !== null,
      settleRecord: (ingressKey) => this.settle(this.unwritten.find(ingressKey)),
      settle: (callId) => this.settle(callId),
    });
  }

  /** @param onCaughtUp called when what a former life left in the spool is in the database, or cannot be written for now; at once when that is nothing */
  start(onCaughtUp: () => void = () => undefined): void {
    if (this.options.spool.isEmpty) return onCaughtUp();
    this.onCaughtUp = onCaughtUp;
    this.replaySoon(0);
  }

  /** Everything handed over is in the database or on disk afterwards. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.events.flush();
    await this.replaying;
    this.options.spool.close();
    this.options.journal.close();
    await this.eventJournal.close();
  }

  /** Matches a call that rings now, and opens its record: with all others that wait. @throws as OpeningBatch.open does */
  open(opening: InTimeOpening): Promise<OpenedCall> {
    return this.openings.open(opening);
  }

  /** For a call whose record could not be opened in time. `receivedAt` is by the database's clock as last known. */
  openLate(input: { call: InboundCall; callId: CallId; receivedAt: Instant }): void {
    const { call, callId, receivedAt } = input;
    this.rush.late(this.options.clock.monotonicMs());
    this.spool({ kind: "open", callId, receivedAt, call: toSpool(this.options.secrets, call) });
  }

  /**
   * Folds events into the call's record, after those handed over before.
   * @param ingressKey finds the record when it was opened under another id (a duplicate that raced); null when `ref` came from the database
   */
  record(ref: CallRef, events: readonly CallEvent[], ingressKey: string | null = null): Promise<void> {
    const entry: SpooledEvents = { kind: "events", ref, ingressKey, events };
    if (!this.events.isFull) {
      const kept = this.eventJournal.keep(entry);
      return this.events.add(ref, events, ingressKey).then(() => this.eventJournal.written(kept));
    }
    this.spool(entry);
    return Promise.resolve();
  }

  /** Resolves when what is in the spool now has been replayed or the database is still away. For tests and shutdown. */
  async replayNow(): Promise<void> {
    this.replaying ??= this.replay().finally(() => {
      this.replaying = null;
    });
    await this.replaying;
  }

  /** Everything handed over until now is in the database, or in the spool. For tests and shutdown. */
  async written(): Promise<void> {
    await this.events.flush();
  }

  private take(calls: readonly MatchedCall[]): boolean {
    if (this.events.isFull) return false;
    const taken = this.unwritten.take(calls);
    for (const call of taken) void this.events.open(call).then(() => this.unwritten.written(call));
    return taken.length > 0;
  }

  private async settle(callId: CallId | null): Promise<void> {
    if (callId !== null) await this.events.settle(callId);
  }

  private async writeOrSpool(batch: readonly GatheredEvents[]): Promise<void> {
    const { db, log } = this.options;
    const spool = ({ ref, ingressKey, opening, events }: GatheredEvents, isOpened = false): void => {
      if (opening !== null && !isOpened) this.spool(opening.entry);
      if (events.length > 0) this.spool({ kind: "events", ref, ingressKey, events });
    };
    // Something of a call may have gone to the spool after these events were handed over.
    const inTime: GatheredEvents[] = [];
    for (const call of batch) {
      if (this.spooled.has(call.ref.callId)) spool(call);
      else inTime.push(call);
    }
    await inHalves(inTime, {
      work: async (some) => {
        const written = await db.transaction((tx) => foldEvents(tx, some));
        // Opened by another node at the same moment: the spool finds the record under the call's key.
        for (const call of some) if (!written.has(call.ref.callId)) spool(call, true);
      },
      refuse: (call, error) => {
        log.warn("call.events_spooled", { callId: call.ref.callId, error: messageOf(error) });
        spool(call);
      },
    });
  }

  private spool(entry: SpoolEntry): void {
    const callId = callIdOf(entry);
    try {
      this.options.spool.append(entry);
      this.spooled.add(callId);
      this.replaySoon(REPLAY_EVERY_MS);
    } catch (error) {
      // The disk is full or gone as well; a person must act, and the call itself goes on.
      this.options.log.error("call.record_lost", { callId, error: messageOf(error) });
    }
  }

  private replaySoon(delayMs: number): void {
    // The next start does it; from here on there is no database.
    if (this.isStopped) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.rush.isOver(this.options.clock.monotonicMs())) void this.replayNow();
      else this.replaySoon(REPLAY_EVERY_MS);
    }, delayMs);
  }

  private async replay(): Promise<void> {
    const { spool, log } = this.options;
    try {
      const round = this.newReplay();
      const count = await spool.replay(
        (entry) => round.add(entry),
        (line) => log.error("call.spool_line_unreadable", { bytes: line.length }),
        () => round.settle(),
      );
      if (count > 0) log.info("call.spool_replayed", { count });
      this.caughtUp();
      if (spool.isEmpty) this.spooled.clear();
      else this.replaySoon(REPLAY_EVERY_MS);
    } catch (error) {
      if (!isUnavailable(error)) {
        log.error("call.spool_replay_failed", { error: messageOf(error) });
        // That may last: what can be written must not wait for it, and what the spool tells later counts more.
        this.caughtUp();
      }
      this.replaySoon(REPLAY_EVERY_MS);
    }
  }

  private caughtUp(): void {
    this.onCaughtUp?.();
    this.onCaughtUp = null;
  }

  private newReplay(): SpoolReplay {
    const { db, secrets, spool, log } = this.options;
    return new SpoolReplay({
      open: (calls) =>
        openLateCalls(
          this.options,
          calls.map(({ entry: { call, callId, receivedAt }, events }) => ({
            call: fromSpool(secrets, call),
            callId,
            receivedAt,
            events,
          })),
        ),
      fold: (entries) => db.transaction((tx) => foldEvents(tx, entries)),
      foldByKey: async (entries) => {
        const written = await db.transaction((tx) => foldEventsByKey(tx, entries));
        for (const { ref } of entries)
          if (!written.has(ref.callId)) log.error("call.events_without_record", { callId: ref.callId });
      },
      setAside: (entry, error) => {
        if (!isHopeless(error)) return false;
        spool.setAside(entry);
        log.error("call.spool_entry_refused", { callId: callIdOf(entry), error: messageOf(error) });
        return true;
      },
    });
  }
}

function callIdOf(entry: SpoolEntry): CallId {
  return entry.kind === "open" ? entry.callId : entry.ref.callId;
}

/** The entry itself is at fault: data the database refuses (classes 22 and 23), or a caller sealed with a key that is gone. */
function isHopeless(error: unknown): boolean {
  if (error instanceof AppError) return error.code === "secret_unreadable";
  return /^2[23]/.test(sqlState(error) ?? "");
}
