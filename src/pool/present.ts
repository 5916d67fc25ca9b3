/**
 * A page asks for numbers: resolve each, allocate, answer. Called by `POST /v1/presentations`. Never fails a page: whatever is wrong with us,
 * the visitor sees the original number. What is answered as presented is committed.
 */
import type { Account } from "../account/accounts.store.js";
import type { Database } from "../db/database.js";
import type { Clock, Instant } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import { type IdSource, VISITOR_ID_PATTERN, type VisitorId } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import { normalizeNumber } from "../telephony/e164.js";
import { allocateFrom } from "./allocate-from.js";
import type { AllocationBatch } from "./allocation-batch.js";
import type { BotReason, BotTally } from "./bot-tally.js";
import type { Directory, DirectoryAccount, DirectoryDestination, DirectoryPool } from "./directory.js";
import type { Discover } from "./discovery.js";
import type { ExhaustionCounter } from "./exhaustion-counter.js";
import { choosePool, type PresentationOutcome, renewAfterS } from "./presentation.js";
import { type Allocation, heldPool } from "./presentations.store.js";

export interface PresentDeps {
  readonly db: Database;
  readonly directory: Directory;
  readonly batch: AllocationBatch;
  readonly discover: Discover;
  readonly bots: BotTally;
  readonly exhaustions: Pick<ExhaustionCounter, "note">;
  readonly ids: IdSource;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
}

export interface PageRequest {
  readonly tagKey: string;
  readonly visitorId: string | null;
  /** As found on the page, any notation. */
  readonly numbers: readonly string[];
  readonly touch: Readonly<Record<string, string>>;
  readonly customData: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
  /** Why this is taken for a bot, which takes no number from a visitor; null for a visitor. */
  readonly botReason: BotReason | null;
  /** Throws when this account does not want the page that asks. */
  readonly admit: (account: Account) => void;
}

export interface PresentedNumber {
  readonly presentationId: string | null;
  /** The asked number in E.164, or as asked when it is no number. */
  readonly destinationNumber: string;
  readonly promoNumber: string | null;
  readonly outcome: PresentationOutcome;
  readonly lockedUntil: Instant | null;
  readonly renewAfterS: number | null;
}

export interface PageAnswer {
  readonly visitorId: string;
  /** One entry for each asked number, same order. */
  readonly presentations: readonly PresentedNumber[];
}

/** @throws AppError("not_found") for an unknown tag key; what `admit` throws; AppError("invalid_value") when the database cannot hold what the page sent */
export async function presentPage(deps: PresentDeps, request: PageRequest): Promise<PageAnswer> {
  const since = deps.clock.monotonicMs();
  const fresh = deps.ids.next("vis");
  const asked = request.visitorId !== null && VISITOR_ID_PATTERN.test(request.visitorId) ? request.visitorId : fresh;
  let account: DirectoryAccount | null;
  try {
    account = await deps.directory.byTagKey(request.tagKey);
  } catch (error) {
    deps.log.warn("presentation.directory_unavailable", { error: messageOf(error) });
    return unchanged(request, asked);
  }
  if (account === null) throw new AppError("not_found", "There is no account with this tag_key.");
  request.admit(account.account);
  // A page that runs a former configuration from a cache still asks.
  if (account.tag.isPaused) return unchanged(request, asked);

  let visitorId: string = asked;
  const withheld: DirectoryPool[] = [];
  const served = new Map<string, Promise<PresentedNumber>>();
  const presentations = await Promise.all(
    request.numbers.map((text) => {
      const number = normalizeNumber(text);
      if (number === null) return Promise.resolve(original(text));
      // The same number written twice on a page is one presentation.
      const known = served.get(number);
      if (known !== undefined) return known;
      const one = presentNumber(deps, {
        account,
        number,
        request,
        asked,
        fresh,
        since,
        isRetry: false,
        onVisitor: (id) => (visitorId = id),
        onWithheld: (pool) => withheld.push(pool),
      });
      served.set(number, one);
      return one;
    }),
  );
  if (request.botReason !== null) deps.bots.add({ accountId: account.account.id, reason: request.botReason, withheld });
  return { visitorId, presentations };
}

/** Every number as the page has it; nobody and nothing is stored. */
function unchanged({ numbers }: PageRequest, visitorId: string): PageAnswer {
  return { visitorId, presentations: numbers.map((number) => original(normalizeNumber(number) ?? number)) };
}

interface OneNumber {
  readonly account: DirectoryAccount;
  readonly number: NonNullable<ReturnType<typeof normalizeNumber>>;
  readonly request: PageRequest;
  readonly asked: string;
  readonly fresh: VisitorId;
  /** Monotonic: when the page began to wait. */
  readonly since: number;
  readonly isRetry: boolean;
  readonly onVisitor: (visitorId: string) => void;
  readonly onWithheld: (pool: DirectoryPool) => void;
}

async function presentNumber(deps: PresentDeps, input: OneNumber): Promise<PresentedNumber> {
  const { account, number, request, asked, fresh } = input;
  const destination = account.destinations.get(number);
  try {
    if (destination === undefined || destination.status === "discovered") {
      if (request.botReason !== null || input.isRetry) return original(number);
      const isListed = destination !== undefined;
      const isServed = await deps.discover({ account: account.account, number, isListed });
      return isServed ? await presentAgain(deps, input) : original(number);
    }
    const pool = destination.status === "tracked" ? await poolFor(deps, destination, request) : null;
    if (pool === null) return original(number);
    if (request.botReason !== null) {
      input.onWithheld(pool);
      return await withoutVisitor(deps, pool.id, number);
    }
    const allocation = await allocateFrom(deps, {
      accountId: account.account.id,
      pool,
      since: input.since,
      visitorId: asked,
      freshVisitorId: fresh,
      touch: request.touch,
      customData: request.customData,
      context: request.context,
    });
    input.onVisitor(allocation.visitorId);
    if (allocation.kind === "gone" && !input.isRetry) {
      deps.directory.changed(account.account.id);
      return await presentAgain(deps, input);
    }
    return presentedOf(number, allocation);
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_value") throw error;
    deps.log.warn("presentation.fell_back_to_original", { error: messageOf(error) });
    return original(number);
  }
}

/** A page that says nothing of where its visitor came from is another page of the same visit: what they hold already is theirs, whichever pool it is of. */
async function poolFor(
  { db }: PresentDeps,
  destination: DirectoryDestination,
  { touch, visitorId, botReason }: PageRequest,
): Promise<DirectoryPool | null> {
  const chosen = choosePool(destination, touch["utm_campaign"]);
  const hasChoice = destination.pools.length > 1 && botReason === null;
  if (!hasChoice || visitorId === null || Object.keys(touch).length > 0) return chosen;
  const held = await heldPool(db, { visitorId, poolIds: destination.pools.map(({ id }) => id) });
  return destination.pools.find(({ id }) => id === held) ?? chosen;
}

/** What the account has changed since the directory was read: look again, once. */
async function presentAgain(deps: PresentDeps, input: OneNumber): Promise<PresentedNumber> {
  const account = await deps.directory.byTagKey(input.request.tagKey);
  return account === null ? original(input.number) : presentNumber(deps, { ...input, account, isRetry: true });
}

const SELECT_OVERFLOW = {
  name: "presentation_select_overflow",
  text: `select n.e164 from promo_number n join pool p on p.id = n.pool_id
         where n.pool_id = $1 and n.state = 'assigned' and n.role = 'overflow' and p.overflow = 'overflow_number'`,
} as const;

async function withoutVisitor(deps: PresentDeps, poolId: string, number: string): Promise<PresentedNumber> {
  const [row] = await deps.db.query<{ e164: string }>(SELECT_OVERFLOW, [poolId]);
  return row === undefined ? original(number) : overflow(number, row.e164);
}

function presentedOf(number: string, allocation: Allocation): PresentedNumber {
  switch (allocation.kind) {
    case "presented":
    case "renewed":
      return {
        presentationId: allocation.presentationId,
        destinationNumber: number,
        promoNumber: allocation.promoNumber,
        outcome: allocation.kind,
        lockedUntil: allocation.lockedUntil,
        renewAfterS: renewAfterS(allocation.sessionLifetimeS),
      };
    case "exhausted":
      return allocation.overflowNumber === null ? original(number) : overflow(number, allocation.overflowNumber);
    case "gone":
      return original(number);
  }
}

function overflow(number: string, promoNumber: string): PresentedNumber {
  return { ...original(number), promoNumber, outcome: "overflow" };
}

function original(number: string): PresentedNumber {
  return {
    presentationId: null,
    destinationNumber: number,
    promoNumber: null,
    outcome: "original",
    lockedUntil: null,
    renewAfterS: null,
  };
}
