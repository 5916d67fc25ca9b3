/**
 * PostgreSQL, the one truth. Named prepared statements only; times go in as ISO text and come out as Instants (ms), bigints as numbers.
 * Faults of the connection become AppError("database_unavailable"); what the database refuses (SQLSTATE) is passed on with its `code`.
 */
import pg from "pg";
import { INSTANT_MAX, type Instant, toIso } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";

/** A named query: prepared once a connection. The name is unique in the code base (a test checks it). */
export interface NamedQuery {
  readonly name: string;
  readonly text: string;
}

export function sql(name: string, text: string): NamedQuery {
  return { name, text };
}

export type Row = Record<string, unknown>;

export interface Queryable {
  query<R = Row>(query: NamedQuery, values?: readonly unknown[]): Promise<R[]>;
}

export interface Database extends Queryable {
  /** Read committed. Rolled back when `work` throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** A connection of its own, e.g. for LISTEN; the caller ends it. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** 16 by default: measured enough to keep a 2-core PostgreSQL busy. */
  readonly connectionsMax?: number;
  readonly applicationName?: string;
  /** Of each of its sessions. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** A connection that is not there after this long is as good as none: a phone is ringing. */
const CONNECT_TIMEOUT_MS = 2_000;
/** No statement of the service takes longer; reports set their own limit. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** A transaction left open by a dying process must not hold back vacuum (storage notes: the one real danger). */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** The client's own limit, for a server that accepts and then says nothing. */
const QUERY_TIMEOUT_MS = 12_000;

/**
 * A new connection plans everything anew, 15 to 47 ms for each statement of a match (measured, on two busy cores), while a phone is to ring: some stay for as
 * long as the process lives, and what a rush needed besides outlasts the lull before the next one.
 */
const CONNECTIONS_KEPT = 4;
const IDLE_TIMEOUT_MS = 60_000;
/** Routers and load balancers forget a silent connection, some after four minutes, and tell nobody: it is probed before that. */
const KEEP_ALIVE_AFTER_MS = 60_000;

export function openDatabase(options: DatabaseOptions): Database {
  const config: pg.PoolConfig = {
    connectionString: withOptions(options.url, options.settings),
    max: options.connectionsMax ?? 16,
    min: CONNECTIONS_KEPT,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    application_name: options.applicationName ?? "ringmatch",
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    types: { getTypeParser: typeParser },
  };
  const pool = new pg.Pool(config);
  pool.on("error", (error) => options.log.warn("db.idle_connection_lost", { error: messageOf(error) }));

  return {
    query: (query, values) => withClient(pool, (client) => run(client, query, values)),
    transaction: (work) =>
      withClient(pool, async (client) => {
        await client.query("begin");
        try {
          const result = await work({ query: (query, values) => run(client, query, values) });
          await client.query("commit");
          return result;
        } catch (error) {
          await rollBack(client);
          throw error;
        }
      }),
    connect: async () => {
      const client = new pg.Client({ ...config, statement_timeout: 0, query_timeout: 0 });
      // Whoever uses it learns from their statement; nobody listening would end the process.
      client.on("error", (error) => options.log.debug("db.connection_lost", { error: messageOf(error) }));
      try {
        await client.connect();
        return client;
      } catch (error) {
        throw classified(error);
      }
    },
    close: () => pool.end(),
  };
}

/**
 * Times are read as ISO writes them, whatever the server's style. No JIT compiler: to PostgreSQL before 18 a plan that may not scan (planner.ts) costs
 * 10,000,000,000, so that it compiled every such statement anew; a call was written 4 to 10 s after its end instead of 0.2 s. Said before the URL's own
 * options, which therefore win.
 */
function withOptions(url: string, settings: Readonly<Record<string, string>> = {}): string {
  const place = new URL(url);
  const ours = Object.entries({ datestyle: "ISO", jit: "off", ...settings }).map(
    ([name, value]) => `-c ${name}=${value}`,
  );
  place.searchParams.set("options", [...ours, place.searchParams.get("options") ?? ""].join(" ").trim());
  return place.href;
}

/** ISO text for a timestamptz parameter. The end of a range that was rounded up beyond 9999 is the end of that year. */
export function timestamp(at: Instant | null): string | null {
  return at === null ? null : toIso(Math.min(at, INSTANT_MAX));
}

/** The SQLSTATE of a refusal by the database, or null when the error is something else. */
export function sqlState(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** True for what another attempt, or another server, may cure: the connection, not the statement, is at fault. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.code === "database_unavailable";
}

async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw classified(error);
  }
  // pool.query would destroy the connection, and its prepared statements, at every refused statement.
  let broken = false;
  // A connection that breaks between two statements tells nobody but its listeners, and without one the process ends.
  const onError = (): void => {
    broken = true;
  };
  client.on("error", onError);
  try {
    return await work(client);
  } catch (error) {
    const known = classified(error);
    broken ||= isUnavailable(known);
    throw known;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

async function run<R>(client: pg.PoolClient, query: NamedQuery, values: readonly unknown[] = []): Promise<R[]> {
  const result = await client.query({ name: query.name, text: query.text, values: values as unknown[] });
  return result.rows as R[];
}

async function rollBack(client: pg.PoolClient): Promise<void> {
  try {
    await client.query("rollback");
  } catch (error) {
    // The connection is gone and the transaction with it; the error that led here is the one worth telling.
    void error;
  }
}

/** Classes 08 and 57P0x, too many connections, read-only after a failover, serialization by failover, and everything without a SQLSTATE. */
function classified(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const state = sqlState(error);
  if (error instanceof Error && isRefusal(error, state)) {
    const why = error.message.replace(/[.\s]+$/, "");
    const sentence = `PostgreSQL refuses the connection (${why}); check user, password and database of DATABASE_URL.`;
    return new AppError("database_unavailable", sentence, { cause: error });
  }
  if (state !== null && !/^(08|57P0|53300|25006)/.test(state)) return error;
  if (!(error instanceof Error) || (state === null && !isConnectionFault(error))) return error;
  return new AppError(
    "database_unavailable",
    "PostgreSQL cannot be reached; check DATABASE_URL and that the server runs.",
    {
      cause: error,
    },
  );
}

/** Class 28 and no such database; what pg finds wrong with the password it should prove (RFC 5802) comes without a state. */
function isRefusal({ message }: Error, state: string | null): boolean {
  return state === null ? message.startsWith("SASL") : /^(28|3D000)/.test(state);
}

function isConnectionFault(error: Error): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(code)) return true;
  return /connection terminated|timeout exceeded|query read timeout|not queryable|client has encountered a connection error|ended|server closed/i.test(
    error.message,
  );
}

const TYPE_TIMESTAMPTZ = 1184;
const TYPE_INT8 = 20;
const TYPE_DATE = 1082;

function typeParser(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === TYPE_TIMESTAMPTZ) return parseInstant;
  if (oid === TYPE_INT8) return Number;
  if (oid === TYPE_DATE) return String;
  return (pg.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown)(oid, format);
}

function parseInstant(text: string): Instant {
  if (text === "-infinity") return Number.NEGATIVE_INFINITY;
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  // PostgreSQL writes "2026-11-23 17:42:14.123456+00"; the session's time zone may be any, and is mostly UTC, which is read without a pattern.
  if (text.endsWith("+00")) return Date.parse(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`);
  const iso = text.replace(" ", "T").replace(/([+-]\d{2})$/, "$1:00");
  return Date.parse(iso);
}
