/**
 * Writes what happens to calls: opens records, folds events into them, and keeps everything in the spool while the database is away. Never throws
 * towards a call and never makes one wait: recording is not what rings the phone.
 */
import {
  type CallRef,
  findCallByKey,
  lockProgress,
  type LockedProgress,
  writeProgress,
} from "../attribution/calls.store.js";
import { explainMatch } from "../attribution/explain.js";
import { readCandidates } from "../attribution/match.store.js";
import { isUnavailable, type Queryable, sqlState } from "../db/database.js";
import type { Clock, Instant } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { CallId } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import { applyCallEvent, type CallState } from "../telephony/call-state.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { InboundCall } from "./inbound-call.js";
import { openCall, type OpenCallDeps } from "./open-call.js";
import type { Spool } from "./spool.js";
import { fromSpool, type SpooledCall, toSpool } from "./spooled-call.js";

export type SpoolEntry =
  | { readonly kind: "open"; readonly callId: CallId; readonly receivedAt: Instant; readonly call: SpooledCall }
  | {
      readonly kind: "events";
      readonly ref: CallRef;
      readonly ingressKey: string | null;
      readonly events: readonly CallEvent[];
    };

/** The database may be back: look this often while the spool holds something. */
const REPLAY_EVERY_MS = 1_000;

export interface CallLogOptions extends OpenCallDeps {
  readonly spool: Spool<SpoolEntry>;
  readonly clock: Clock;
  readonly log: Log;
}

export class CallLog {
  /** Writes of one call go one after the other; calls are independent. */
  private readonly writing = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | null = null;
  private replaying: Promise<void> | null = null;
  /** Calls with something in the spool: what follows goes there too, or it would be written before what came first. */
  private readonly spooled = new Set<string>();

  constructor(private readonly options: CallLogOptions) {}

  start(): void {
    if (!this.options.spool.isEmpty) this.replaySoon(0);
  }

  /** Everything handed over is in the database or on disk afterwards. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await Promise.all(this.writing.values());
    await this.replaying;
    this.options.spool.close();
  }

  /** For a call whose record could not be opened in time. `receivedAt` is by the database's clock as last known. */
  openLate(input: { call: InboundCall; callId: CallId; receivedAt: Instant }): void {
    const { call, callId, receivedAt } = input;
    this.spool({ kind: "open", callId, receivedAt, call: toSpool(this.options.secrets, call) });
  }

  /**
   * Folds events into the call's record, after those handed over before.
   * @param ingressKey finds the record when it was opened under another id (a duplicate that raced); null when `ref` came from the database
   */
  record(ref: CallRef, events: readonly CallEvent[], ingressKey: string | null = null): Promise<void> {
    const before = this.writing.get(ref.callId) ?? Promise.resolve();
    const writing = before.then(() => this.writeOrSpool({ kind: "events", ref, ingressKey, events }));
    this.writing.set(ref.callId, writing);
    return writing.finally(() => {
      if (this.writing.get(ref.callId) === writing) this.writing.delete(ref.callId);
    });
  }

  /** Resolves when what is in the spool now has been replayed or the database is still away. For tests and shutdown. */
  async replayNow(): Promise<void> {
    this.replaying ??= this.replay().finally(() => {
      this.replaying = null;
    });
    await this.replaying;
  }

  private async writeOrSpool(entry: SpoolEntry & { kind: "events" }): Promise<void> {
    if (this.spooled.has(entry.ref.callId)) return this.spool(entry);
    try {
      const written = await this.options.db.transaction((tx) => foldEvents(tx, entry.ref, entry.events));
      if (!written) this.spool(entry);
    } catch (error) {
      this.options.log.warn("call.events_spooled", { callId: entry.ref.callId, error: messageOf(error) });
      this.spool(entry);
    }
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
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.replayNow();
    }, delayMs);
  }

  private async replay(): Promise<void> {
    const { spool, log } = this.options;
    try {
      const count = await spool.replay(
        (entry) => this.replayOrSetAside(entry),
        (line) => log.error("call.spool_line_unreadable", { bytes: line.length }),
      );
      if (count > 0) log.info("call.spool_replayed", { count });
      if (spool.isEmpty) this.spooled.clear();
      else this.replaySoon(REPLAY_EVERY_MS);
    } catch (error) {
      if (!isUnavailable(error)) log.error("call.spool_replay_failed", { error: messageOf(error) });
      this.replaySoon(REPLAY_EVERY_MS);
    }
  }

  /** One entry that the database will never take must not keep the others waiting. */
  private async replayOrSetAside(entry: SpoolEntry): Promise<void> {
    try {
      await this.replayOne(entry);
    } catch (error) {
      if (!isHopeless(error)) throw error;
      this.options.spool.setAside(entry);
      this.options.log.error("call.spool_entry_refused", { callId: callIdOf(entry), error: messageOf(error) });
    }
  }

  private async replayOne(entry: SpoolEntry): Promise<void> {
    if (entry.kind === "open") {
      const call = fromSpool(this.options.secrets, entry.call);
      await openCall(this.options, { call, callId: entry.callId, late: entry.receivedAt });
      return;
    }
    const { ref, ingressKey, events } = entry;
    const written = await this.options.db.transaction(async (tx) => {
      if (await foldEvents(tx, ref, events)) return true;
      const known = ingressKey === null ? null : await findCallByKey(tx, ingressKey);
      return known !== null && (await foldEvents(tx, known, events));
    });
    if (!written) this.options.log.error("call.events_without_record", { callId: ref.callId });
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

/** @returns false when the record does not exist (yet) */
async function foldEvents(tx: Queryable, ref: CallRef, events: readonly CallEvent[]): Promise<boolean> {
  const known = await lockProgress(tx, ref);
  if (known === null) return false;
  const progress = events.reduce<CallState>(applyCallEvent, known.progress);
  await writeProgress(tx, ref, { progress, confidence: await confidenceOf(tx, ref, known, progress) });
  return true;
}

/** Judged once, when the call is over: it reads the log, which nothing on the way to the ringing phone does. */
async function confidenceOf(
  tx: Queryable,
  ref: CallRef,
  known: LockedProgress,
  progress: CallState,
): Promise<number | null> {
  const { confidence, attribution, presentationId, accountId, poolId, numberId, ownershipEpoch, matchedSeq } = known;
  if (confidence !== null || progress.end === null || attribution !== "matched") return confidence;
  if (accountId === null || poolId === null || numberId === null) return null;
  if (ownershipEpoch === null || matchedSeq === null) return null;
  const { receivedAt } = ref;
  const seen = { accountId, poolId, numberId, ownershipEpoch, matchedSeq, receivedAt };
  const presentations = await readCandidates(tx, seen);
  return explainMatch({ outcome: attribution, matchedPresentationId: presentationId, presentations, receivedAt })
    .confidence;
}
