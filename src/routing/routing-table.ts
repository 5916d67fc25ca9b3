/**
 * Every number and where its calls go, in memory: what routes a call when the database does not answer in time. Kept by LISTEN; behind by
 * milliseconds, which is why the database's own answer always comes first.
 */
import type { Database } from "../db/database.js";
import { Listener } from "../db/listen.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { type ReadNumber, readRoutedNumbers, readRoutedOf, type RoutedNumber } from "./routed-numbers.store.js";

/** A burst of moves is read together. */
const COLLECT_MS = 20;
/** Above this many single moves waiting, reading everything is cheaper. */
const SINGLE_READS_MAX = 500;
/** What could not be read (the database has too much to do) is read again after this. */
const RETRY_MS = 1_000;

export interface RoutingTableOptions {
  readonly database: Database;
  readonly log: Log;
  /** Also told of every change, e.g. to drop other caches. */
  readonly onChange: (what: string | null) => void;
}

export class RoutingTable {
  private readonly numbers = new Map<string, RoutedNumber>();
  private readonly moved = new Set<string>();
  private readonly listener: Listener;
  private reloadAll = false;
  private addedOnly = false;
  private lastId = 0;
  private timer: NodeJS.Timeout | null = null;
  private reading: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(private readonly options: RoutingTableOptions) {
    const { database, log } = options;
    this.listener = new Listener({
      database,
      log,
      channel: "ringmatch_routing",
      onChange: (payload) => this.changed(payload),
    });
  }

  /** Resolves when the table is full; throws when the database cannot be read. */
  async start(): Promise<void> {
    await this.readAll();
    await this.listener.start();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.listener.stop();
    await this.reading;
  }

  get size(): number {
    return this.numbers.size;
  }

  find(e164: string): RoutedNumber | null {
    return this.numbers.get(e164) ?? null;
  }

  /** From the database, for a number that is not in memory yet. */
  async read(e164: string): Promise<RoutedNumber | null> {
    this.put(await readRoutedOf(this.options.database, [e164]));
    return this.find(e164);
  }

  private changed(payload: string | null): void {
    this.options.onChange(payload);
    if (payload?.startsWith("number ")) this.moved.add(payload.slice("number ".length));
    else if (payload === "promo_number") this.addedOnly = true;
    else if (payload === null || payload === "destination" || payload === "pool") this.reloadAll = true;
    else return;
    this.readSoon(COLLECT_MS);
  }

  private readSoon(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.reading = this.reading.then(() => this.readChanges());
    }, delayMs);
  }

  private async readChanges(): Promise<void> {
    const numbers = [...this.moved];
    const everything = this.reloadAll || numbers.length > SINGLE_READS_MAX;
    const added = this.addedOnly;
    this.moved.clear();
    this.reloadAll = false;
    this.addedOnly = false;
    try {
      if (everything) return await this.readAll();
      if (added) await this.readFrom(this.lastId);
      if (numbers.length > 0) this.put(await readRoutedOf(this.options.database, numbers));
    } catch (error) {
      // The listener may have noticed nothing, and say nothing until the next change.
      this.options.log.warn("routing.reload_failed", { error: messageOf(error) });
      this.reloadAll = true;
      if (!this.isStopped) this.readSoon(RETRY_MS);
    }
  }

  /** Rows are replaced one by one, never cleared first: the table has an answer at every moment, and numbers are never deleted. */
  private readAll(): Promise<void> {
    return this.readFrom(0);
  }

  private async readFrom(after: number): Promise<void> {
    for await (const page of readRoutedNumbers(this.options.database, after)) {
      this.put(page);
      this.lastId = Math.max(this.lastId, page.at(-1)?.id ?? 0);
    }
  }

  private put(read: readonly ReadNumber[]): void {
    for (const { e164, routed } of read) this.numbers.set(e164, routed);
  }
}
