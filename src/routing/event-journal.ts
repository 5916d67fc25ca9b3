/**
 * What happened to calls, on the disk while it is gathered (event-batch.ts): a process that is killed has told the caller of an answer or a hang-up that no
 * record knows of yet. Its next life writes it, or such calls would end as failed and never answered. Used by the call log.
 */
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { CallJournal, JournalFile } from "./call-journal.js";
import type { SpooledEvents } from "./spooled-call.js";

/** What was handed over, until it is written. */
export interface KeptEvents {
  readonly entry: SpooledEvents;
  /** Null until the turn of the event loop ends, and when the disk does not take it. */
  file: JournalFile | null;
  isWritten: boolean;
}

export class EventJournal {
  private waiting: KeptEvents[] = [];
  private turnEnd: NodeJS.Immediate | null = null;

  constructor(
    private readonly journal: CallJournal<SpooledEvents>,
    private readonly log: Log,
  ) {}

  /** On its way to the disk when this turn of the event loop ends, together with what else comes in it: a busy node hears of some calls in each. */
  keep(entry: SpooledEvents): KeptEvents {
    const kept: KeptEvents = { entry, file: null, isWritten: false };
    this.waiting.push(kept);
    this.turnEnd ??= setImmediate(() => {
      this.turnEnd = null;
      this.append();
    });
    return kept;
  }

  /** In the database or in the spool. */
  written(kept: KeptEvents): void {
    kept.isWritten = true;
    if (kept.file !== null) this.journal.written(kept.file, 1);
  }

  /** Everything that was kept is written by then; see CallJournal.close. */
  close(): void {
    this.journal.close();
  }

  private append(): void {
    const unwritten = this.waiting.filter(({ isWritten }) => !isWritten);
    this.waiting = [];
    if (unwritten.length === 0) return;
    try {
      const file = this.journal.append(unwritten.map(({ entry }) => entry));
      for (const kept of unwritten) kept.file = file;
    } catch (error) {
      // The events are in memory as before; only a crash in the next tenth of a second would lose them.
      this.log.error("call.journal_failed", { error: messageOf(error) });
    }
  }
}
