/**
 * Every number and where its calls go, in memory: what routes a call when the database does not answer in time. Kept by LISTEN; behind by
 * milliseconds, which is why the database's own answer always comes first.
 */
import type { Database } from "../db/database.js";
import { Listener } from "../db/listen.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import {
  type ReadNumber,
  readRoutedNumbers,
  readRoutedOf,
  readRoutedOfPlaces,
  type RoutedNumber,
} from "./routed-numbers.store.js";
import { countOf, noChanges, type Notice, note, type RoutingChanges } from "./routing-changes.js";

/** A burst of moves is read together. */
const COLLECT_MS = 20;
/** Above this many changes waiting (each read by itself), reading everything is cheaper. */
const SINGLE_READS_MAX = 500;
/** What could not be read (the database has too much to do) is read again after this. */
const RETRY_MS = 1_000;

export interface RoutingTableOptions {
  readonly database: Database;
  readonly log: Log;
  /**
   * Also told of every change, e.g. to drop other caches: the table that changed, or `number`; null when it may be any. With the account whose row it is, in
   * tables of accounts.
   */
  readonly onChange: (what: string | null, accountId: string | null) => void;
}

export class RoutingTable {
  private readonly numbers = new Map<string, RoutedNumber>();
  private readonly listener: Listener;
  private waiting = noChanges();
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
    const read = await readRoutedOf(this.options.database, [e164]);
    // What has come in meanwhile was read because of a change, and nothing would tell of that again.
    if (!this.numbers.has(e164)) this.put(read);
    return this.find(e164);
  }

  private changed(payload: string | null): void {
    const notice = payload === null ? null : (payload.split(" ") as unknown as Notice);
    const [what = null, , accountId = null] = notice ?? [];
    this.options.onChange(what, accountId);
    if (note(this.waiting, notice)) this.readSoon(COLLECT_MS);
  }

  private readSoon(delayMs: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.reading = this.reading.then(() => this.readChanges());
    }, delayMs);
  }

  private async readChanges(): Promise<void> {
    const { waiting } = this;
    this.waiting = noChanges();
    try {
      if (waiting.everything || countOf(waiting) > SINGLE_READS_MAX) await this.readAll();
      else await this.readSome(waiting);
    } catch (error) {
      // The listener may have noticed nothing, and say nothing until the next change.
      this.options.log.warn("routing.reload_failed", { error: messageOf(error) });
      this.waiting.everything = true;
      if (!this.isStopped) this.readSoon(RETRY_MS);
    }
  }

  /** Rows are replaced one by one, never cleared first: the table has an answer at every moment, and numbers are never deleted. */
  private async readAll(): Promise<void> {
    for await (const page of readRoutedNumbers(this.options.database)) this.put(page);
  }

  private async readSome({ numbers, added, pools, destinations }: RoutingChanges): Promise<void> {
    const { database } = this.options;
    for (const range of added) for await (const page of readRoutedNumbers(database, range)) this.put(page);
    if (pools.size + destinations.size > 0) {
      this.put(await readRoutedOfPlaces(database, { pools: [...pools], destinations: [...destinations] }));
    }
    if (numbers.size > 0) this.put(await readRoutedOf(database, [...numbers]));
  }

  private put(read: readonly ReadNumber[]): void {
    for (const { e164, routed } of read) this.numbers.set(e164, routed);
  }
}
