/**
 * Creates or updates a ring pool under the caller's id. A pool is `automatic` where it can be: the first one of its destination, with numbers of the
 * destination's own kind. Any other is a `campaign` pool, which pages are given when their utm_campaign is the pool's id_from_network.
 */
import type { Destination } from "../../account/destinations.store.js";
import { AppError } from "../../kernel/errors.js";
import { standsInFor } from "../../pool/fitting-numbers.js";
import { createPoolIn, editPool } from "../../pool/pool-changes.js";
import { getPool, type NewPool, type PoolSettings } from "../../pool/pools.store.js";
import { poolDefaults } from "../../pool/ring-pool.js";
import { scalePool } from "../../pool/scale-pool.js";
import type { HttpDeps } from "../http-deps.js";
import { refusedAsDuplicate } from "../pool-plan.js";
import { InvocaError, invalidFields } from "./invoca-error.js";
import type { LocalNumbers } from "./local-center.js";
import type { RingPoolFields } from "./ring-pool-fields.js";
import { findRingPool, hasPools, putRingPoolNames, type RingPool, type RingPoolNames } from "./ring-pools.store.js";
import { onlyDestination, trackDestination } from "./tracked-destination.js";

interface Asked {
  readonly accountId: string;
  readonly campaignId: string;
  readonly idFromNetwork: string;
  readonly fields: RingPoolFields;
  readonly actor: string;
}

/**
 * POST and PUT alike. @returns isNew: it was created
 * @throws InvocaError, AppError
 */
export async function putRingPool(
  deps: HttpDeps,
  known: RingPool | null,
  asked: Asked,
): Promise<{ ringPool: RingPool; isNew: boolean }> {
  if (known !== null) return { ringPool: await updateRingPool(deps, known, asked), isNew: false };
  try {
    return { ringPool: await createRingPool(deps, asked), isNew: true };
  } catch (error) {
    if (!isTaken(error)) throw error;
    // Somebody made it, or the destination's automatic pool, in this very moment.
    const made = await findRingPool(deps.db, asked);
    if (made !== null) return { ringPool: await updateRingPool(deps, made, asked), isNew: false };
    return { ringPool: await createRingPool(deps, asked), isNew: true };
  }
}

/** Filled from the inventory before it is answered, as far as that goes. */
async function createRingPool(deps: HttpDeps, asked: Asked): Promise<RingPool> {
  const { accountId, fields, actor } = asked;
  const destination = await destinationOf(deps, accountId, fields.destination);
  const plan = await planOf(deps, asked, destination);
  const fillImmediately = fields.fillImmediately ?? false;
  const names: RingPoolNames = {
    idFromNetwork: asked.idFromNetwork,
    campaignId: asked.campaignId,
    preferred: fields.preferred ?? false,
    fillImmediately,
    localCenter: fields.localCenter ?? null,
    localNumberPreferences: fields.localNumberPreferences ?? null,
  };
  const { id } = await deps.db.transaction(async (tx) => {
    const pool = await createPoolIn(tx, deps.ids, { pool: plan, fillImmediately, actor });
    if (!(await putRingPoolNames(tx, { poolId: pool.id, accountId, names }))) throw taken();
    return pool;
  });
  deps.directory.changed(accountId);
  return { pool: await getPool(deps.db, { id, accountId }), names };
}

/** What is not sent stays. @throws InvocaError for another allow_overflow, which never changes */
async function updateRingPool(deps: HttpDeps, known: RingPool, asked: Asked): Promise<RingPool> {
  const { accountId, fields, actor } = asked;
  const { pool, names } = known;
  if (fields.allowOverflow !== undefined && fields.allowOverflow !== allowsOverflow(pool)) {
    throw invalidFields({ allow_overflow: ["can't be changed"] });
  }
  const destination =
    fields.destination === undefined ? null : await trackDestination(deps, accountId, fields.destination);
  const moved = destination === null || destination.id === pool.destinationId ? null : destination;
  if (moved !== null && pool.kind === "automatic" && !standsInFor(pool, moved)) {
    throw invalidFields({
      destination_phone_number: ["has another type, area code or country than the pool's numbers"],
    });
  }
  const changes = definedOf({ name: fields.name, sessionLifetimeS: fields.lifetimeS, maxSize: fields.maxPoolSize });
  const edited = await refusedAsDuplicate(() =>
    editPool(deps, { poolId: pool.id, changes, destination: moved, actor }),
  );
  const next: RingPoolNames = {
    idFromNetwork: names?.idFromNetwork ?? pool.id,
    campaignId: names?.campaignId ?? asked.campaignId,
    preferred: fields.preferred ?? names?.preferred ?? false,
    fillImmediately: fields.fillImmediately ?? names?.fillImmediately ?? false,
    localCenter: fields.localCenter ?? names?.localCenter ?? null,
    localNumberPreferences: fields.localNumberPreferences ?? names?.localNumberPreferences ?? null,
  };
  await deps.db.transaction((tx) => putRingPoolNames(tx, { poolId: pool.id, accountId, names: next }));
  if (next.fillImmediately && edited.size < edited.maxSize) await fillUp(deps, edited, actor);
  deps.directory.changed(accountId);
  return { pool: await getPool(deps.db, { id: pool.id, accountId }), names: next };
}

/** A pool that reuses its oldest number never lets a visitor go without one. */
export function allowsOverflow(pool: Pick<PoolSettings, "overflow">): boolean {
  return pool.overflow !== "original_number";
}

async function destinationOf(deps: HttpDeps, accountId: string, given: string | undefined): Promise<Destination> {
  return given === undefined ? onlyDestination(deps, accountId) : trackDestination(deps, accountId, given);
}

async function planOf(deps: HttpDeps, asked: Asked, destination: Destination): Promise<NewPool> {
  const { accountId, idFromNetwork, fields } = asked;
  const numbers = numbersOf(fields.local, destination);
  const isOwnKind = standsInFor({ ...numbers, destinationNumber: destination.number }, destination);
  const isAutomatic = isOwnKind && !(await hasPools(deps.db, { destinationId: destination.id, kind: "automatic" }));
  return {
    ...poolDefaults,
    accountId,
    name: fields.name ?? idFromNetwork,
    kind: isAutomatic ? "automatic" : "campaign",
    campaign: isAutomatic ? null : idFromNetwork,
    destinationId: destination.id,
    ...numbers,
    sessionLifetimeS: fields.lifetimeS ?? poolDefaults.sessionLifetimeS,
    maxSize: fields.maxPoolSize ?? poolDefaults.maxSize,
    overflow: (fields.allowOverflow ?? true) ? "overflow_number" : "original_number",
  };
}

function numbersOf(local: RingPoolFields["local"], { numberType, npa }: Destination): LocalNumbers {
  if (local?.kind === "local") return local.numbers;
  if (local?.kind === "unknown_place" && !local.mayUseTollFree) {
    throw invalidFields({
      local_center: ["names a place that no area code is known for; give a tn_prefix, or let it use toll-free numbers"],
    });
  }
  if (local === null && numberType === "local") return { numberType, npa, npaFallback: [] };
  return { numberType: "toll_free", npa: null, npaFallback: [] };
}

/** "If numbers are available": with fewer the pool stays as it is, and a stored decision says why. */
async function fillUp(deps: HttpDeps, pool: { id: string; maxSize: number }, actor: string): Promise<void> {
  const { canBuy, decided } = deps.scaling;
  try {
    await scalePool(
      { ...deps, canBuy, onDecision: decided },
      { poolId: pool.id, size: pool.maxSize, buy: false, actor },
    );
  } catch (error) {
    if (!(error instanceof AppError) || !["inventory_short", "account_limit"].includes(error.code)) throw error;
  }
}

function isTaken(error: unknown): boolean {
  if (error instanceof AppError) return error.code === "already_exists";
  return error instanceof InvocaError && error.details.fields?.["id_from_network"] !== undefined;
}

function taken(): InvocaError {
  return invalidFields({ id_from_network: ["has already been taken"] });
}

/** @throws InvocaError("RecordNotFound") in Invoca's words */
export async function ringPoolNamed(
  deps: HttpDeps,
  input: { accountId: string; campaignId: string; idFromNetwork: string },
): Promise<RingPool> {
  const found = await findRingPool(deps.db, input);
  if (found !== null) return found;
  const { idFromNetwork, campaignId, accountId } = input;
  const where = `for advertiser campaign ${campaignId} and advertiser ${accountId}`;
  throw new InvocaError("RecordNotFound", `Could not find RingPool ${idFromNetwork} ${where}`);
}

function definedOf<T extends object>(changes: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as never;
}
