/**
 * What happened to calls, on the disk while it is gathered (event-batch.ts): a process that is killed has told the caller of an answer or a hang-up that no
 * record knows of yet. Its next life writes it, or such calls would end as failed and never answered. Used by the call log.
 */
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { CallJournal, JournalFile } from "./call-journal.js";
import type { SpooledEvents } from "./spooled-call.js";

/** What is handed over in this time is one write: who is killed has told nobody for longer than that what no disk knows. */
const TOGETHER_MS = 10;

/** What was handed over, until it is written. */
export interface KeptEvents {
  readonly entry: SpooledEvents;
  /** Null until then, and when the disk does not take it. */
  file: JournalFile | null;
  isWritten: boolean;
}

export class EventJournal {
  private waiting: KeptEvents[] = [];
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> | null = null;

  constructor(
    private readonly journal: CallJournal<SpooledEvents>,
    private readonly log: Log,
  ) {}

  /** Behind the back of whoever tells of it: on its way to the disk within 10 ms, unless it is written by then. */
  keep(entry: SpooledEvents): KeptEvents {
    const kept: KeptEvents = { entry, file: null, isWritten: false };
    this.waiting.push(kept);
    this.appendSoon();
    return kept;
  }

  /** In the database or in the spool. */
  written(kept: KeptEvents): void {
    kept.isWritten = true;
    if (kept.file !== null) this.journal.written(kept.file, 1);
  }

  /** Everything that was kept is written by then; see CallJournal.close. */
  async close(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    await this.writing;
    this.journal.close();
  }

  private appendSoon(): void {
    if (this.waiting.length === 0 || this.writing !== null) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.writing = this.append().finally(() => {
        this.writing = null;
        this.appendSoon();
      });
    }, TOGETHER_MS);
  }

  private async append(): Promise<void> {
    const unwritten = this.waiting.filter(({ isWritten }) => !isWritten);
    this.waiting = [];
    if (unwritten.length === 0) return;
    try {
      const file = await this.journal.appendBehind(unwritten.map(({ entry }) => entry));
      for (const kept of unwritten) {
        if (kept.isWritten) this.journal.written(file, 1);
        else kept.file = file;
      }
    } catch (error) {
      // The events are in memory as before; only a crash in the next tenth of a second would lose them.
      this.log.error("call.journal_failed", { error: messageOf(error) });
    }
  }
}
