/**
 * Works on an order of numbers until it is over, its time is up, or the carrier asks us to wait. Each number is written down before the carrier is asked
 * for it, under a mark that the carrier keeps: whatever is lost after that (an answer, this process), the next run looks for the mark first, and only
 * then asks again, for the same number. So no number is lost, and none is bought twice. Called by buy-numbers.ts and by the resumer.
 */
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import type { Log } from "../kernel/log.js";
import type { E164 } from "../telephony/e164.js";
import { CarrierFault } from "./carrier-inventory/carrier-fault.js";
import type { Carriers } from "./carrier-inventory/carriers.js";
import type { BuyOutcome, NumberCarrier } from "./carrier-inventory/number-carrier.js";
import { type WebhookBases, webhooksOf } from "./carrier-inventory/number-webhooks.js";
import { CarrierStock } from "./carrier-stock.js";
import { ATTEMPTS_MAX, markOf, retryDelayMs } from "./number-order.js";
import { getOrder, type OrderedNumbers, type OrderItem } from "./number-orders.store.js";
import {
  claimOrder,
  deferItems,
  type HeldOrder,
  type ItemChange,
  refuseRequested,
  settleOrder,
  writeItem,
} from "./order-runs.store.js";
import { findNumber } from "./numbers.store.js";
import { recordDelivered, recordNumber } from "./record-number.js";

export interface OrderDeps extends WebhookBases {
  readonly db: Database;
  readonly carriers: Carriers;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseMs?: number;
}

/** Longer than any request to a carrier takes with its time limit: who is silent for longer has stopped. */
const LEASE_MS = 60_000;
/** Other numbers tried for one item in one run. */
const TAKEN_MAX = 20;
/** The credential is gone or cannot buy: a person must act. */
const NO_CARRIER_WAIT_MS = 60_000;

/** What a run holds on to. */
interface Run extends OrderDeps {
  readonly order: OrderedNumbers;
  readonly held: HeldOrder;
  readonly carrier: NumberCarrier;
  readonly stock: CarrierStock;
}

/** sells_none: what was begun is gone on with, nothing new is · stop: nothing can be done now · lost: another one has the order. */
type Step = "go_on" | "sells_none" | "stop" | "lost";

/**
 * @param budgetMs nothing new is begun after it; what is left goes on at the order's next run
 * @throws AppError("database_unavailable"), AppError("not_found")
 */
export async function runOrder(deps: OrderDeps, input: { orderId: string; budgetMs: number }): Promise<OrderedNumbers> {
  const { orderId, budgetMs } = input;
  const held = await claimOrder(deps.db, { orderId, leaseMs: deps.leaseMs ?? LEASE_MS });
  if (held === null) return getOrder(deps.db, orderId);
  const order = await getOrder(deps.db, orderId);
  const carrier = await deps.carriers.open(order);
  if (carrier === null) await withoutCarrier(deps, held);
  else {
    const stock = new CarrierStock(carrier, order);
    await workOn({ ...deps, order, held, carrier, stock }, deps.clock.monotonicMs() + budgetMs);
  }
  await settleOrder(deps.db, held);
  return getOrder(deps.db, orderId);
}

async function withoutCarrier(deps: OrderDeps, held: HeldOrder): Promise<void> {
  await refuseRequested(deps.db, held, "The carrier's credential is gone or has no account_sid.");
  await deferItems(deps.db, held, NO_CARRIER_WAIT_MS);
}

async function workOn(run: Run, endMs: number): Promise<void> {
  let sells = true;
  for (const item of run.order.items) {
    if (run.clock.monotonicMs() >= endMs) return;
    if (!item.isDue || (item.state === "requested" && !sells)) continue;
    const step = await workOnItem(run, item);
    if (step === "stop" || step === "lost") return;
    sells &&= step !== "sells_none";
  }
}

async function workOnItem(run: Run, item: OrderItem): Promise<Step> {
  switch (item.state) {
    case "requested":
      return chooseAndBuy(run, item);
    case "ordering":
      return resume(run, item);
    case "pending":
      return askAfter(run, item);
    case "done":
    case "refused":
    case "unknown":
      return "go_on";
  }
}

/** Takes numbers of the stock until one is ours. */
async function chooseAndBuy(run: Run, item: OrderItem): Promise<Step> {
  for (let tried = 0; tried < TAKEN_MAX; tried++) {
    const number = await run.stock.next().catch(asFault);
    if (number instanceof CarrierFault) return waitOrRefuse(run, { ...item, isUncertain: false }, number);
    if (number === null) return refuse(run, item, "The carrier has no such number in stock.");
    const chosen = { state: "ordering", number, attempts: item.attempts + 1, isUncertain: true } as const;
    const write = await writeItem(run.db, run.held, item.id, chosen);
    if (write === "lost") return "lost";
    if (write === "known") continue;
    const step = await buy(run, { ...item, ...chosen }, { wasUncertain: false });
    if (step !== "taken") return step;
  }
  return defer(
    run,
    { ...item, state: "requested", number: null, isUncertain: false },
    "Every number was taken by others.",
    null,
  );
}

/** An earlier attempt may have bought it: by its mark we know. */
async function resume(run: Run, item: OrderItem & { number: E164 | null }): Promise<Step> {
  const found = await findMarked(run, item).catch(asFault);
  if (found instanceof CarrierFault) return waitOrRefuse(run, item, found);
  if (found !== null) return record(run, item, found);
  const trying = { ...item, attempts: item.attempts + 1, isUncertain: true };
  if ((await writeItem(run.db, run.held, item.id, changeOf(trying))) === "lost") return "lost";
  const step = await buy(run, trying, { wasUncertain: item.isUncertain });
  return step === "taken" ? "go_on" : step;
}

/** @returns taken: the number is somebody else's, the item is free to take another one */
async function buy(run: Run, item: OrderItem, { wasUncertain }: { wasUncertain: boolean }): Promise<Step | "taken"> {
  const number = item.number as E164;
  const webhooks = webhooksOf(run, { carrier: run.carrier.name, number });
  const outcome = await run.carrier.buy({ number, mark: markOf(item.id), webhooks }).catch(asFault);
  if (outcome instanceof CarrierFault) {
    if (outcome.kind !== "unknown_outcome") return waitOrRefuse(run, { ...item, isUncertain: wasUncertain }, outcome);
    // Most often the answer alone was lost.
    const found = await findMarked(run, item).catch(asFault);
    if (found === null || found instanceof CarrierFault) return waitOrRefuse(run, item, outcome);
    return record(run, item, found);
  }
  return take(run, item, { outcome, wasUncertain });
}

async function take(
  run: Run,
  item: OrderItem,
  { outcome, wasUncertain }: { outcome: BuyOutcome; wasUncertain: boolean },
): Promise<Step | "taken"> {
  switch (outcome.kind) {
    case "bought":
      return record(run, item, { ref: outcome.ref, number: item.number as E164 });
    case "pending": {
      const waitMs = retryDelayMs(1, null);
      const number = item.number as E164;
      return recordNumber(run, { item, number, ref: outcome.ref, state: "ordering", waitMs });
    }
    case "taken": {
      // Taken by ourselves, perhaps, at a carrier whose list comes late.
      const found = wasUncertain ? await findMarked(run, item).catch(asFault) : null;
      if (found instanceof CarrierFault) return waitOrRefuse(run, item, found);
      if (found !== null) return record(run, item, found);
      const free = { ...changeOf(item), state: "requested", number: null, isUncertain: false } as const;
      return (await writeItem(run.db, run.held, item.id, free)) === "lost" ? "lost" : "taken";
    }
    case "refused":
      return waitOrRefuse(run, { ...item, isUncertain: wasUncertain }, new CarrierFault("refused", outcome.reason));
  }
}

async function record(run: Run, item: OrderItem, found: { ref: string; number: E164 }): Promise<Step> {
  return recordNumber(run, { item, ...found, state: "available", waitMs: 0 });
}

/** The number that the carrier holds under the item's mark, if it is not in our books as something else. */
async function findMarked(run: Run, item: OrderItem): Promise<{ ref: string; number: E164 } | null> {
  const found = await run.carrier.findOwned({ mark: markOf(item.id) });
  const chosen = found.find(({ number }) => number === item.number);
  if (chosen !== undefined) return chosen;
  const [other] = found;
  return other === undefined || (await findNumber(run.db, other.number)) !== null ? null : other;
}

async function askAfter(run: Run, item: OrderItem): Promise<Step> {
  const progress = await run.carrier.checkOrder(item.carrierRef ?? "").catch(asFault);
  if (progress instanceof CarrierFault) return later(run, item, progress.message, progress.retryAfterMs);
  switch (progress.kind) {
    case "pending":
      return later(run, item, null, null);
    case "delivered":
      return recordDelivered(run, { item, to: "available", problem: null });
    case "failed":
      return recordDelivered(run, { item, to: "retired", problem: progress.reason });
  }
}

/** A pending item is asked after for as long as the carrier says pending. */
async function later(run: Run, item: OrderItem, problem: string | null, askedMs: number | null): Promise<Step> {
  const attempts = Math.min(item.attempts + 1, ATTEMPTS_MAX);
  const change = { ...changeOf({ ...item, attempts }), problem, waitMs: retryDelayMs(attempts, askedMs) };
  return (await writeItem(run.db, run.held, item.id, change)) === "lost" ? "lost" : "go_on";
}

/** @param item with what is known of it now: uncertain when the carrier may have sold it */
async function waitOrRefuse(run: Run, item: OrderItem, fault: CarrierFault): Promise<Step> {
  run.log.warn("order.carrier_failed", {
    orderId: run.order.id,
    itemId: item.id,
    kind: fault.kind,
    error: fault.message,
  });
  if (!fault.isTemporary && !item.isUncertain) return refuseAll(run, item, fault.message);
  return defer(run, item, fault.message, fault.retryAfterMs);
}

async function defer(run: Run, item: OrderItem, problem: string, askedMs: number | null): Promise<Step> {
  if (item.attempts >= ATTEMPTS_MAX) return giveUp(run, item, problem);
  const waitMs = retryDelayMs(item.attempts, askedMs);
  const attempts = item.state === "requested" ? item.attempts + 1 : item.attempts;
  if ((await writeItem(run.db, run.held, item.id, { ...changeOf({ ...item, attempts }), problem, waitMs })) === "lost")
    return "lost";
  // What ails the carrier ails every item.
  await deferItems(run.db, run.held, waitMs);
  return "stop";
}

async function giveUp(run: Run, item: OrderItem, problem: string): Promise<Step> {
  if (!item.isUncertain) return refuse(run, item, problem);
  run.log.error("order.item_unknown", {
    orderId: run.order.id,
    itemId: item.id,
    advice: "look for the number at the carrier; reconciling takes it over when it shows there",
  });
  const write = await writeItem(run.db, run.held, item.id, { ...changeOf(item), state: "unknown", problem });
  return write === "lost" ? "lost" : "go_on";
}

async function refuseAll(run: Run, item: OrderItem, problem: string): Promise<Step> {
  const step = await refuse(run, item, problem);
  if (step === "lost") return step;
  await refuseRequested(run.db, run.held, problem);
  return "sells_none";
}

async function refuse(run: Run, item: OrderItem, problem: string): Promise<Step> {
  run.log.warn("order.item_refused", { orderId: run.order.id, itemId: item.id, error: problem });
  const change = {
    ...changeOf(item),
    state: "refused",
    number: null,
    carrierRef: null,
    isUncertain: false,
    problem,
  } as const;
  return (await writeItem(run.db, run.held, item.id, change)) === "lost" ? "lost" : "go_on";
}

function changeOf(item: OrderItem): ItemChange {
  const { state, number, carrierRef, attempts, isUncertain, problem } = item;
  return { state, number, carrierRef, attempts, isUncertain, problem };
}

/** Only what a carrier throws is an outcome here; all else is passed on. */
function asFault(error: unknown): CarrierFault {
  if (error instanceof CarrierFault) return error;
  throw error;
}
