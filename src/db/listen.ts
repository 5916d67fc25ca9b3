/** LISTEN on one channel over a connection of its own, reconnecting for ever; after every (re)connect the listener is told to read everything. */
import type pg from "pg";
import { Backoff } from "../kernel/backoff.js";
import { withDeadline } from "../kernel/deadline.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Database } from "./database.js";

/** PostgreSQL away: try again after this, doubling up to the limit. */
const RECONNECT = { minMs: 200, maxMs: 5_000 };

/**
 * Nothing is written on this connection, so TCP never finds out that the other end is gone (a failover, a firewall that forgot): only asking does. Until
 * then every change is missed.
 */
const ASK_EVERY_MS = 5_000;
const ANSWER_MS_MAX = 3_000;

export interface ListenOptions {
  readonly database: Database;
  readonly channel: string;
  readonly log: Log;
  /** `null` after a (re)connect: notifications may have been missed. */
  readonly onChange: (payload: string | null) => void;
}

export class Listener {
  private client: pg.Client | null = null;
  /** Of the next attempt to connect, or, while connected, of the next question. */
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  private readonly backoff = new Backoff(RECONNECT);

  constructor(private readonly options: ListenOptions) {}

  /** Resolves after the first attempt, connected or not. */
  async start(): Promise<void> {
    await this.open();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const client = this.client;
    this.client = null;
    // Of a server that says nothing any more there is no end to wait for.
    if (client !== null) await answered(client.end()).catch(() => undefined);
  }

  private async open(): Promise<void> {
    const { database, channel, log, onChange } = this.options;
    let client: pg.Client | null = null;
    try {
      const connected = await database.connect();
      if (this.stopped) return void (await connected.end());
      client = connected;
      this.client = connected;
      connected.on("error", (error) => this.lost(connected, messageOf(error)));
      connected.on("end", () => this.lost(connected, "connection ended"));
      connected.on("notification", (message) => onChange(message.payload ?? ""));
      await answered(connected.query(`listen "${channel.replaceAll('"', "")}"`));
      if (this.client !== connected) return;
      this.backoff.reset();
      this.askLater(connected);
      onChange(null);
    } catch (error) {
      log.debug("db.listen_failed", { channel, error: messageOf(error) });
      if (client === null) this.again();
      else this.lost(client, messageOf(error));
    }
  }

  private askLater(client: pg.Client): void {
    if (this.client !== client) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      answered(client.query("select 1")).then(
        () => this.askLater(client),
        (error: unknown) => this.lost(client, messageOf(error)),
      );
    }, ASK_EVERY_MS);
  }

  /** Also of a connection that was given up before, whose end comes later. */
  private lost(client: pg.Client, why: string): void {
    if (this.client !== client) return;
    this.options.log.warn("db.listen_lost", { channel: this.options.channel, why });
    this.client = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    client.end().catch(() => undefined);
    this.again();
  }

  private again(): void {
    if (this.stopped || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.open();
    }, this.backoff.next());
  }
}

/** @throws when the connection does not answer in time */
function answered<T>(answer: Promise<T>): Promise<T> {
  return withDeadline(ANSWER_MS_MAX, answer, () => new Error("the connection does not answer"));
}
