/**
 * What the parts of one running edge share: every function of the call logic takes it first. StackContext is the part that transactions and dialogs
 * need, which the development phone (src/dev/sip-phone.ts) has as well; SipEdge adds the apps.
 */
import type { Clock } from "../../kernel/clock.js";
import type { Log } from "../../kernel/log.js";
import type { Random } from "../../kernel/random.js";
import type { AppRouter } from "./app-router.js";
import { type Counters, createCounters } from "./counters.js";
import { createDialogTable, type DialogTable } from "./dialog-table.js";
import { createLocate, type Locate, systemNameService } from "./next-hop.js";
import type { ProxiedCalls } from "./proxied-calls.js";
import type { SearchRules } from "./search-rules.js";
import { createSourceFilter, type SourceFilter } from "./source-filter.js";
import { pooledRandom } from "./random-pool.js";
import { createScheduler, DEFAULT_SIP_TIMERS, type Scheduler, type SipTimers } from "./timers.js";
import { createTransactionTable, type TransactionTable } from "./transaction-table.js";
import type { Transport } from "./transport.js";

export interface StackContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
  readonly timers: SipTimers;
  readonly scheduler: Scheduler;
  readonly sources: SourceFilter;
  readonly locate: Locate;
  readonly transactions: TransactionTable;
  readonly dialogs: DialogTable;
  /**
   * Runs what a packet, a frame or a timer asks for. A fault of ours in it is logged and counted, and costs that one call: it must not take down
   * every other call of this process.
   */
  readonly guard: (act: () => void) => void;
}

export interface EdgeContext extends StackContext {
  readonly apps: AppRouter;
  readonly proxied: ProxiedCalls;
  readonly searchRules: SearchRules;
  /** Empty until start() has bound them. */
  transports: readonly Transport[];
  /** New out-of-dialog requests get 503. */
  isDraining: boolean;
}

export interface StackOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers?: Partial<SipTimers> | undefined;
}

/** A stack with nothing in it. `scheduler.stop()` is for whoever made it. */
export function createStack(
  options: StackOptions,
): StackContext & { readonly scheduler: ReturnType<typeof createScheduler> } {
  const { clock, log } = options;
  const random = pooledRandom(options.random);
  const counters = createCounters();
  const guard = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      counters.add("internal_errors");
      log.error("edge.internal_error", { error });
    }
  };
  return {
    clock,
    random,
    log,
    counters,
    timers: { ...DEFAULT_SIP_TIMERS, ...options.timers },
    scheduler: createScheduler(clock, guard),
    guard,
    sources: createSourceFilter(),
    locate: createLocate(systemNameService, clock, random),
    transactions: createTransactionTable(),
    dialogs: createDialogTable(),
  };
}

/** 64 random bits: From and To tags, unguessable as RFC 3261 §19.3 wants. */
export function newTag(random: Random): string {
  return random.bytes(8).toString("hex");
}

/** First CSeq of ours in a dialog or transaction: random, below 2^31 with room to count (§8.1.1.5). */
export function firstSeq(random: Random): number {
  return random.bytes(4).readUInt32BE() % 1_000_000_000;
}
