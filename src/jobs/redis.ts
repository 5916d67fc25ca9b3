/** Connections to Redis or Redis Cluster, for BullMQ only: nothing on the way to a ringing phone or a page waits for Redis. */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";

/** After an outage the first attempt that can succeed is at most this late. */
const RECONNECT_MS_MAX = 2_000;
/** A producer that waits longer than this has lost; the sweeper repairs. */
const COMMAND_TIMEOUT_MS = 2_000;

type Options = Pick<
  RedisOptions,
  "maxRetriesPerRequest" | "enableOfflineQueue" | "commandTimeout" | "reconnectOnError"
>;

export type RedisRole =
  /** Waits for work for ever; BullMQ asks for no retry limit. */
  | "worker"
  /** Fails fast: its caller has better things to do. */
  | "producer";

export function connectRedis(input: { url: string; role: RedisRole; log: Log }): Redis | Cluster {
  const { url, role, log } = input;
  const urls = url.split(",").map((part) => part.trim());
  const common = { reconnectOnError: (error: Error) => error.message.startsWith("READONLY"), ...patienceOf(role) };
  const client =
    urls.length === 1
      ? new Redis(urls[0] as string, { ...common, retryStrategy: backOff })
      : clusterOf(urls, common, role);
  let wasLost = false;
  client.on("error", (error: unknown) => {
    if (!wasLost) log.warn("redis.lost", { role, error: messageOf(error) });
    wasLost = true;
  });
  client.on("ready", () => {
    if (wasLost) log.info("redis.back", { role });
    wasLost = false;
  });
  return client;
}

function clusterOf(urls: readonly string[], redisOptions: Options, role: RedisRole): Cluster {
  const nodes = urls.map((text) => {
    const { hostname, port } = new URL(text);
    return { host: hostname, port: Number(port || 6379) };
  });
  const first = new URL(urls[0] as string);
  const tls = first.protocol === "rediss:" ? { tls: {} } : {};
  const credentials = {
    ...(first.password ? { password: decodeURIComponent(first.password) } : {}),
    ...(first.username ? { username: decodeURIComponent(first.username) } : {}),
  };
  // A cluster keeps its own queue and retries; per node only the fail-fast part applies.
  const { enableOfflineQueue: _unused, ...perNode } = { ...redisOptions, ...tls, ...credentials };
  return new Cluster(nodes, {
    redisOptions: perNode,
    clusterRetryStrategy: backOff,
    enableOfflineQueue: role === "worker",
  });
}

function backOff(attempt: number): number {
  return Math.min(attempt * 100, RECONNECT_MS_MAX);
}

function patienceOf(role: RedisRole): Options {
  if (role === "worker") return { maxRetriesPerRequest: null };
  return { maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS };
}
