/**
 * Every number and where its calls go, in memory: what routes a call when the database does not answer in time. Kept by LISTEN; behind by
 * milliseconds, which is why the database's own answer always comes first.
 */
import { sql, type Database } from "../db/database.js";
import { Listener } from "../db/listen.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { isRouted, type NumberState } from "../pool/promo-number.js";
import type { DestinationFacts } from "../attribution/match.store.js";

export interface RoutedNumber {
  readonly isRouted: boolean;
  readonly destination: DestinationFacts | null;
  readonly accountId: string | null;
  /** Whose webhooks speak for it; see credentialFor(). */
  readonly credentialId: string | null;
  readonly hostAccountId: string | null;
}

/** Rows read at a time; keeps a full load from holding a million rows twice. */
const PAGE = 10_000;
/** A burst of moves is read together. */
const COLLECT_MS = 20;
/** Above this many single moves waiting, reading everything is cheaper. */
const SINGLE_READS_MAX = 500;

const COLUMNS = `n.id, n.e164, n.state, n.account_id as "accountId", n.credential_id as "credentialId", n.host_account_id as "hostAccountId",
  d.number, d.sip_uri as "sipUri", d.failover,
  d.ring_timeout_s as "ringTimeoutS", d.max_concurrent_calls as "maxConcurrentCalls", d.caller_id as "callerId", d.pass_ids as "passIds",
  d.whisper, d.record_announcement as "recordAnnouncement"`;
const FROM = `promo_number n
  left join static_number s on n.role = 'static' and s.number_id = n.id and s.ownership_epoch = n.ownership_epoch
  left join pool p on p.id = n.pool_id left join destination d on d.id = coalesce(p.destination_id, s.destination_id)`;
const SELECT_PAGE = sql(
  "routing_select_page",
  `select ${COLUMNS} from ${FROM} where n.id > $1 order by n.id limit ${PAGE}`,
);
const SELECT_SOME = sql("routing_select_some", `select ${COLUMNS} from ${FROM} where n.e164 = any ($1)`);

interface Row extends DestinationFacts {
  id: number;
  e164: string;
  state: NumberState;
  accountId: string | null;
  credentialId: string | null;
  hostAccountId: string | null;
}

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

  private changed(payload: string | null): void {
    this.options.onChange(payload);
    if (payload?.startsWith("number ")) this.moved.add(payload.slice("number ".length));
    else if (payload === "promo_number") this.addedOnly = true;
    else if (payload === null || payload === "destination" || payload === "pool") this.reloadAll = true;
    else return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.reading = this.reading.then(() => this.readChanges());
    }, COLLECT_MS);
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
      if (numbers.length > 0)
        for (const row of await this.options.database.query<Row>(SELECT_SOME, [numbers])) this.put(row);
    } catch (error) {
      // The listener lost its connection as well: when it is back it asks for everything.
      this.options.log.warn("routing.reload_failed", { error: messageOf(error) });
      this.reloadAll = true;
    }
  }

  /** Rows are replaced one by one, never cleared first: the table has an answer at every moment, and numbers are never deleted. */
  private readAll(): Promise<void> {
    return this.readFrom(0);
  }

  private async readFrom(after: number): Promise<void> {
    for (let last = after; ; ) {
      const rows = await this.options.database.query<Row>(SELECT_PAGE, [last]);
      for (const row of rows) this.put(row);
      last = rows.at(-1)?.id ?? last;
      this.lastId = Math.max(this.lastId, last);
      if (rows.length < PAGE) return;
    }
  }

  private put(row: Row): void {
    const {
      number,
      sipUri,
      failover,
      ringTimeoutS,
      maxConcurrentCalls,
      callerId,
      passIds,
      whisper,
      recordAnnouncement,
    } = row;
    const destination =
      (number as string | null) === null
        ? null
        : {
            number,
            sipUri,
            failover,
            ringTimeoutS,
            maxConcurrentCalls,
            callerId,
            passIds,
            whisper,
            recordAnnouncement,
          };
    const { accountId, credentialId, hostAccountId } = row;
    this.numbers.set(row.e164, { isRouted: isRouted(row.state), destination, accountId, credentialId, hostAccountId });
  }
}
