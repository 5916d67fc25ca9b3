/** LISTEN on one channel over a connection of its own, reconnecting for ever; after every (re)connect the listener is told to read everything. */
import type pg from "pg";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Database } from "./database.js";

/** PostgreSQL away: try again after this, doubling up to the limit. */
const RECONNECT_MS_MIN = 200;
const RECONNECT_MS_MAX = 5_000;

export interface ListenOptions {
  readonly database: Database;
  readonly channel: string;
  readonly log: Log;
  /** `null` after a (re)connect: notifications may have been missed. */
  readonly onChange: (payload: string | null) => void;
}

export class Listener {
  private client: pg.Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  private delayMs = RECONNECT_MS_MIN;

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
    await client?.end().catch(() => undefined);
  }

  private async open(): Promise<void> {
    const { database, channel, log, onChange } = this.options;
    try {
      const client = await database.connect();
      if (this.stopped) return void (await client.end());
      this.client = client;
      client.on("error", (error) => this.lost(messageOf(error)));
      client.on("end", () => this.lost("connection ended"));
      client.on("notification", (message) => onChange(message.payload ?? ""));
      await client.query(`listen "${channel.replaceAll('"', "")}"`);
      this.delayMs = RECONNECT_MS_MIN;
      onChange(null);
    } catch (error) {
      log.debug("db.listen_failed", { channel, error: messageOf(error) });
      this.client = null;
      this.again();
    }
  }

  private lost(why: string): void {
    if (this.client === null || this.stopped) return;
    this.options.log.warn("db.listen_lost", { channel: this.options.channel, why });
    const client = this.client;
    this.client = null;
    client.end().catch(() => undefined);
    this.again();
  }

  private again(): void {
    if (this.stopped || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.open();
    }, this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, RECONNECT_MS_MAX);
  }
}
