/**
 * Brings what the spool holds back into the database, some hundred lines at a time: their calls are opened together, with what happened to them, then the
 * other events folded together. A backlog must not cost the calls that ring now what caused it. Used by the call log, one for each replay.
 */
import { isUnavailable } from "../db/database.js";
import { inHalves } from "../db/in-halves.js";
import type { CallId } from "../kernel/ids.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { OpenedLater, SpooledEvents, SpoolEntry } from "./spooled-call.js";

/** Lines of one round: of a call in a rush there are four, and many calls at a time cost little more than one. */
const ROUND_MAX = 1_024;

/** A call to be opened, and what is known of it in the same round. */
export interface LateCall {
  readonly entry: OpenedLater;
  readonly events: readonly CallEvent[];
}

export interface ReplayWork {
  /**
   * Each key once. May be asked again for some of them.
   * @returns the calls whose events are written with them
   */
  readonly open: (calls: readonly LateCall[]) => Promise<ReadonlySet<CallId>>;
  /** @returns the calls that were written; the others have no record under that id */
  readonly fold: (entries: readonly SpooledEvents[]) => Promise<ReadonlySet<CallId>>;
  /** For events of calls that were opened under another id, or at another time: matched in time, and answered too late. */
  readonly foldByKey: (entries: readonly SpooledEvents[]) => Promise<void>;
  /** @returns false when the fault is not the entry's: the replay ends then, and begins anew later */
  readonly setAside: (entry: SpoolEntry, error: unknown) => boolean;
}

export class SpoolReplay {
  private lines = 0;
  /** By the call's key: several ids of ours may stand for one call. */
  private readonly opens = new Map<string, OpenedLater[]>();
  private readonly events = new Map<CallId, SpooledEvents>();

  constructor(private readonly work: ReplayWork) {}

  /** @throws what is not the entries' own fault */
  async add(entry: SpoolEntry): Promise<void> {
    if (entry.kind === "open") {
      const { ingressKey } = entry.call;
      this.opens.set(ingressKey, [...(this.opens.get(ingressKey) ?? []), entry]);
    } else {
      const known = this.events.get(entry.ref.callId);
      this.events.set(entry.ref.callId, known ? { ...known, events: [...known.events, ...entry.events] } : entry);
    }
    if (++this.lines >= ROUND_MAX) await this.settle();
  }

  /** Everything added is in the database or set aside. @throws as `add` does */
  async settle(): Promise<void> {
    const opens = [...this.opens.values()];
    const tries = Math.max(0, ...opens.map((entries) => entries.length));
    const events = new Map(this.events);
    this.lines = 0;
    this.opens.clear();
    this.events.clear();
    // The first of a key that can be opened gives the record its id; the others find it.
    for (let n = 0; n < tries; n++)
      await this.openAll(
        opens.flatMap((entries) => entries[n] ?? []),
        events,
      );
    await this.foldAll([...events.values()]);
  }

  /** @param events of them those are taken out that are written with their calls */
  private async openAll(entries: readonly OpenedLater[], events: Map<CallId, SpooledEvents>): Promise<void> {
    const refused: OpenedLater[] = [];
    await this.together(
      entries.map((entry) => ({ entry, events: events.get(entry.callId)?.events ?? [] })),
      async (calls) => {
        for (const callId of await this.work.open(calls)) events.delete(callId);
      },
      ({ entry }, error) => !isUnavailable(error) && refused.push(entry) > 0,
    );
    // It may be for an event: the call is opened without, and its events stand trial by themselves.
    await this.together(
      refused,
      async (some) => void (await this.work.open(some.map((entry) => ({ entry, events: [] })))),
      this.work.setAside,
    );
  }

  private async foldAll(entries: readonly SpooledEvents[]): Promise<void> {
    const unwritten: SpooledEvents[] = [];
    await this.together(
      entries,
      async (some) => {
        const written = await this.work.fold(some);
        unwritten.push(...some.filter(({ ref }) => !written.has(ref.callId)));
      },
      this.work.setAside,
    );
    await this.together(unwritten, this.work.foldByKey, this.work.setAside);
  }

  /** @param isAtFault takes note of what is refused; false when the fault is not the item's own */
  private async together<T>(
    items: readonly T[],
    work: (some: readonly T[]) => Promise<void>,
    isAtFault: (item: T, error: unknown) => boolean,
  ): Promise<void> {
    const failures: unknown[] = [];
    await inHalves(items, {
      work,
      refuse: (item, error) => {
        if (!isAtFault(item, error)) failures.push(error);
      },
    });
    if (failures.length > 0) throw failures[0];
  }
}
