/**
 * One process at a time runs the timers of the whole service: whoever holds an advisory lock of PostgreSQL, on a session of its own. The session's end
 * is the lock's end, whatever ended it, and another process takes over. Composed by the service in processes with the jobs role.
 *
 * A process that was cut off may still be in the middle of its last chore when the next leader begins: a chore decides under row locks, by the
 * database's clock, and does no harm when it runs twice. It is told by its signal that it has lost the lead and should end.
 */
import type pg from "pg";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { withDeadline } from "../kernel/deadline.js";

/** Followers ask for the lock, the leader asks whether its session still answers. Not by waiting for the lock: that would hold back vacuum. */
const TICK_MS = 1_000;
/** A session that does not answer for this long is given up, before PostgreSQL gives it up (KEEPALIVE). */
const ANSWER_MS_MAX = 3_000;
/** A process that slept (a paused machine) may have lost the lead without knowing: older news than this is asked for again before a chore begins. */
const NEWS_MS_MAX = TICK_MS + ANSWER_MS_MAX;
/** A leader whose process or session ended is followed by another one within this time; one that hangs, or whose machine or network is gone, within 20 s. */
export const TAKEOVER_MS_MAX = 5_000;
/**
 * What makes PostgreSQL notice a machine that is gone: about 14 s of silence, after the leader itself has given up. For a process that hangs, or was
 * stopped, its kernel goes on answering; that it asks nothing any more is what tells.
 */
const KEEPALIVE =
  "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 3; set tcp_keepalives_count = 3; set idle_session_timeout = '15s'";
/** Stopping waits for running chores, not for one that hangs. */
const STOP_MS_MAX = 5_000;

export interface Chore {
  readonly name: string;
  /** From the end of one run to the beginning of the next; the first comes as soon as this process leads. */
  readonly everyMs: number;
  /** Safe to run twice. What it throws is logged, and it is tried again the next time. */
  readonly work: (signal: AbortSignal) => Promise<unknown>;
}

export interface LeaderOptions {
  readonly database: Database;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** One leader a name. */
  readonly name: string;
}

export class Leader {
  private client: pg.Client | null = null;
  private lead: AbortController | null = null;
  private answeredAt = 0;
  private ticking: NodeJS.Timeout | null = null;
  private attempt: Promise<void> = Promise.resolve();
  private isStopped = false;
  private readonly chores: Chore[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly options: LeaderOptions) {}

  get isLeading(): boolean {
    return this.lead !== null;
  }

  /** While this process leads, and not before it started. */
  runEvery(chore: Chore): void {
    this.chores.push(chore);
    if (this.lead !== null) this.runLater(chore, this.lead.signal, 0);
  }

  /** Resolves after the first attempt to lead. */
  async start(): Promise<void> {
    this.attempt = this.tick();
    await this.attempt;
  }

  /** The lock is free for others when it resolves. */
  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.ticking !== null) clearTimeout(this.ticking);
    this.stepDown("stopped");
    const chores = Promise.all([this.attempt, ...this.running]);
    await Promise.race([chores, new Promise((resolve) => setTimeout(resolve, STOP_MS_MAX).unref())]);
    const { client } = this;
    this.client = null;
    await client?.end().catch(() => undefined);
  }

  private async tick(): Promise<void> {
    try {
      const client = this.client ?? (await this.connect());
      const isLeader = this.lead !== null || (await this.tryLock(client));
      if (this.lead !== null) await answered(client.query("select 1"));
      this.answeredAt = this.options.clock.monotonicMs();
      if (isLeader && this.lead === null && this.client === client && !this.isStopped) this.begin();
    } catch (error) {
      this.lost(this.client, messageOf(error));
    }
    if (this.isStopped) return;
    this.ticking = setTimeout(() => {
      this.attempt = this.tick();
    }, TICK_MS);
  }

  private async tryLock(client: pg.Client): Promise<boolean> {
    const { rows } = await answered(
      client.query<{ locked: boolean }>(TRY_LOCK, [`ringmatch leader ${this.options.name}`]),
    );
    return rows[0]?.locked === true;
  }

  private async connect(): Promise<pg.Client> {
    const client = await this.options.database.connect();
    this.client = client;
    client.on("error", (error) => this.lost(client, messageOf(error)));
    client.on("end", () => this.lost(client, "connection ended"));
    await answered(client.query(KEEPALIVE));
    return client;
  }

  private begin(): void {
    const lead = new AbortController();
    this.lead = lead;
    this.options.log.info("leader.began", { leader: this.options.name });
    for (const chore of this.chores) this.runLater(chore, lead.signal, 0);
  }

  private lost(client: pg.Client | null, why: string): void {
    if (client === null || this.client !== client) return;
    this.client = null;
    this.stepDown(why);
    client.end().catch(() => undefined);
  }

  private stepDown(why: string): void {
    if (this.lead === null) return;
    this.options.log.info("leader.ended", { leader: this.options.name, why });
    this.lead.abort();
    this.lead = null;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  private runLater(chore: Chore, signal: AbortSignal, delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const newsMs = this.options.clock.monotonicMs() - this.answeredAt;
      if (newsMs > NEWS_MS_MAX) return this.runLater(chore, signal, TICK_MS);
      const run = this.run(chore, signal).finally(() => {
        this.running.delete(run);
        if (!signal.aborted) this.runLater(chore, signal, chore.everyMs);
      });
      this.running.add(run);
    }, delayMs);
    this.timers.add(timer);
  }

  private async run(chore: Chore, signal: AbortSignal): Promise<void> {
    try {
      await chore.work(signal);
    } catch (error) {
      this.options.log.warn("leader.chore_failed", { chore: chore.name, error: messageOf(error) });
    }
  }
}

const TRY_LOCK = "select pg_try_advisory_lock(hashtextextended($1, 0)) as locked";

/** @throws when the session does not answer in time */
function answered<T>(answer: Promise<T>): Promise<T> {
  return withDeadline(ANSWER_MS_MAX, answer, () => new Error("the session does not answer"));
}
