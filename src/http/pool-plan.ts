/** From a pool as a client describes it to what the store is told: the destination looked up, type and area code settled, what cannot be refused. */
import { findDestination, type Destination } from "../account/destinations.store.js";
import { type Queryable, sqlState } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import { standsInFor } from "../pool/fitting-numbers.js";
import type { NewPool, Pool, PoolSettings } from "../pool/pools.store.js";
import type { NumberType } from "../telephony/npa.js";
import { isGiven, type NewPoolBody, type PoolChangesBody, readAutoscale, readNpaFallback } from "./contract/pool.js";

/** @throws AppError("invalid_value") */
export async function planNewPool(db: Queryable, input: { accountId: string; body: NewPoolBody }): Promise<NewPool> {
  const { accountId, body } = input;
  const destination = await trackedDestination(db, accountId, body.destination_number);
  const numbers =
    body.kind === "automatic"
      ? kindOfNumber(destination, body)
      : { numberType: body.number_type ?? "toll_free", npa: body.npa ?? null };
  const npaFallback = readNpaFallback(body.npa_fallback);
  if (numbers.numberType !== "local" && npaFallback.length > 0) throw onlyForLocal();
  return {
    accountId,
    name: body.name,
    kind: body.kind,
    campaign: body.campaign ?? null,
    destinationId: destination.id,
    ...numbers,
    sessionLifetimeS: body.session_lifetime_s,
    retentionS: body.retention_s,
    maxSize: body.max_size,
    overflow: body.overflow,
    drainS: body.drain_s,
    autoscale: readAutoscale(body.autoscale),
    npaFallback,
  };
}

/** @throws AppError("conflict") for what never changes, AppError("invalid_value") for an unknown destination */
export async function planPoolChanges(
  db: Queryable,
  input: { known: Pool; body: PoolChangesBody },
): Promise<{ changes: Partial<PoolSettings>; destination: Destination | null }> {
  const { known, body } = input;
  assertUnchanged(known, body);
  const asked = body.destination_number;
  const destination =
    asked === undefined || asked === known.destinationNumber
      ? null
      : await trackedDestination(db, known.accountId, asked);
  if (destination !== null && known.kind === "automatic") assertSameKind(known, destination);
  const changes = {
    name: body.name,
    sessionLifetimeS: body.session_lifetime_s,
    retentionS: body.retention_s,
    maxSize: body.max_size,
    overflow: body.overflow,
    drainS: body.drain_s,
    autoscale: body.autoscale === undefined ? undefined : readAutoscale(body.autoscale),
    npaFallback: body.npa_fallback === undefined ? undefined : readNpaFallback(body.npa_fallback),
  };
  if (known.numberType !== "local" && (changes.npaFallback ?? []).length > 0) throw onlyForLocal();
  return { changes: definedOf(changes), destination };
}

/** An edit may bring a pool to a destination that has one of its kind already. */
export async function refusedAsDuplicate<T>(edit: () => Promise<T>): Promise<T> {
  try {
    return await edit();
  } catch (error) {
    if (sqlState(error) !== "23505") throw error;
    throw new AppError("already_exists", "The destination has a pool of this kind already.", { cause: error });
  }
}

async function trackedDestination(db: Queryable, accountId: string, number: string): Promise<Destination> {
  const destination = await findDestination(db, { accountId, number });
  if (destination?.status === "tracked") return destination;
  const message =
    destination === null
      ? "is no destination of the account; create it with POST /v1/destinations first"
      : `is ${destination.status}; set its status to tracked first`;
  const fields = [{ path: "destination_number", message }];
  throw new AppError("invalid_value", "A pool stands in for a tracked destination.", { fields });
}

/** Type and area code of an automatic pool are its destination's. Toll-free numbers stand in for each other whatever their area code. */
function kindOfNumber(
  destination: Destination,
  asked: { number_type?: NumberType | null | undefined; npa?: string | null | undefined },
): { numberType: NumberType; npa: string | null } {
  const { numberType, npa } = destination;
  const fields = [];
  if (isGiven(asked.number_type) && asked.number_type !== numberType) {
    fields.push({ path: "number_type", message: `is ${numberType} in an automatic pool of this destination` });
  }
  if (isGiven(asked.npa) && asked.npa !== npa) {
    fields.push({ path: "npa", message: `is ${npa ?? "none"} in an automatic pool of this destination` });
  }
  if (fields.length > 0) {
    throw new AppError("invalid_value", "An automatic pool takes type and area code from its destination.", { fields });
  }
  return { numberType, npa: numberType === "local" ? npa : null };
}

function onlyForLocal(): AppError {
  const fields = [{ path: "npa_fallback", message: "belongs to local numbers only" }];
  return new AppError("invalid_value", "Toll-free numbers stand in for each other whatever their area code.", {
    fields,
  });
}

function assertUnchanged(known: Pool, body: PoolChangesBody): void {
  const fixed = [
    ["kind", known.kind, body.kind],
    ["campaign", known.campaign, body.campaign],
    ["number_type", known.numberType, body.number_type],
    ["npa", known.npa, body.npa],
  ] as const;
  const fields = fixed
    .filter(([, is, asked]) => asked !== undefined && asked !== is)
    .map(([path, is]) => ({ path, message: `is ${is ?? "null"} and never changes` }));
  if (fields.length > 0) {
    throw new AppError("conflict", "A pool keeps its kind, campaign, type and area code; make another pool.", {
      fields,
    });
  }
}

function assertSameKind(known: Pool, destination: Destination): void {
  if (standsInFor(known, destination)) return;
  throw new AppError("conflict", "The new destination has another type, area code or country than the pool's numbers.");
}

function definedOf<T extends object>(changes: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as never;
}
