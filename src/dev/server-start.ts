/**
 * Starting an embedded server on a free loopback port: asks the system for one, spawns, waits until the server answers. Another process may
 * take the port between the two; then another port is tried. Used by the embedded PostgreSQL and Redis.
 */
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../kernel/errors.js";
import { type ServerCommand, type ServerPlace, ServerProcess } from "./server-process.js";

export interface ServerStart {
  readonly place: ServerPlace;
  readonly commandFor: (port: number) => ServerCommand;
  /** True when the server answers; false when it is not there yet; throws what waiting longer would not mend. */
  readonly isReady: (port: number) => Promise<boolean>;
  /** The longest wait for the first answer, recovery after a crash included. */
  readonly readyWithinMs: number;
  readonly urlFor: (port: number) => string;
  /** Where ports come from; tests hand out one that is taken. */
  readonly pickPort?: (() => Promise<number>) | undefined;
}

/** Losing the race for a port five times in a row is not a race any more. */
const START_ATTEMPTS = 5;
const READY_POLL_MS = 20;
/** The children of a killed PostgreSQL hold its shared memory until they notice; this long before the next attempt. */
const BUSY_RETRY_MS = 1_000;

/** A server that cannot bind ends within this time. */
const BIND_FAILURE_MS = 1_000;

const PORT_TAKEN = /address already in use/i;
/** PostgreSQL's words for children of its predecessor that are still leaving. */
const STILL_BUSY = /pre-existing shared memory block/i;

/** A server that answers. */
export interface StartedServer {
  readonly process: ServerProcess;
  readonly port: number;
}

/** @throws AppError embedded_failed with the server's own last words and the place of its log */
export async function startServer(start: ServerStart): Promise<StartedServer> {
  const { place, pickPort = freeLoopbackPort } = start;
  for (let attempt = 1; ; attempt++) {
    const port = await pickPort();
    const process = await ServerProcess.spawn(place, start.commandFor(port));
    const outcome = await waitUntilReady(start, process, port).catch(async (refusal: unknown) => {
      await process.stop();
      throw refusal;
    });
    if (outcome === "ready") {
      place.log.debug("embedded.started", { server: place.server, pid: process.identity.pid, port });
      return { process, port };
    }
    const words = process.logTail();
    await process.stop();
    const isWorthAnother = outcome === "ended" && (PORT_TAKEN.test(words) || STILL_BUSY.test(words));
    if (!isWorthAnother || attempt >= START_ATTEMPTS) throw notStarted(start, outcome, words);
    place.log.warn("embedded.starting_again", { server: place.server, attempt, port });
    if (STILL_BUSY.test(words)) await delay(BUSY_RETRY_MS);
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freeLoopbackPort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening, failed) => {
    probe.once("error", failed);
    probe.listen({ port: 0, host: "127.0.0.1", exclusive: true }, listening);
  });
  const address = probe.address();
  await new Promise<void>((closed) => probe.close(() => closed()));
  if (address === null || typeof address === "string") throw new Error("a TCP listener has a port");
  return address.port;
}

export type StartOutcome = "ready" | "ended" | "silent";

/** @throws what waiting longer would not mend */
export async function waitUntilReady(start: ServerStart, process: ServerProcess, port: number): Promise<StartOutcome> {
  const { clock } = start.place;
  const until = clock.monotonicMs() + start.readyWithinMs;
  const ended = process.ended.then(() => "ended" as const);
  while (clock.monotonicMs() < until) {
    const answer = start.isReady(port).catch((error: unknown) => unlessEnded(process, error));
    const outcome = await Promise.race([ended, answer]);
    if (outcome === "ended" || process.hasEnded) return "ended";
    if (outcome) return "ready";
    await Promise.race([ended, delay(READY_POLL_MS)]);
  }
  return "silent";
}

/** A refusal may come from a stranger on the same port; then ours is about to end because it could not bind. */
async function unlessEnded(process: ServerProcess, refusal: unknown): Promise<"ended"> {
  await Promise.race([process.ended, delay(BIND_FAILURE_MS)]);
  if (process.hasEnded) return "ended";
  throw refusal;
}

export function notStarted(
  { place, readyWithinMs }: ServerStart,
  outcome: Exclude<StartOutcome, "ready">,
  words: string,
): AppError {
  const lastLine = words.trimEnd().split("\n").at(-1) ?? "";
  const what =
    outcome === "ended"
      ? `ended at once, saying "${lastLine}"`
      : `did not answer within ${String(readyWithinMs / 1000)} s`;
  return new AppError("embedded_failed", `The embedded ${place.server} ${what}; its log ${place.logFile} tells why.`);
}
