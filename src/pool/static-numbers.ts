/**
 * Static numbers (print, TV, radio): a number that belongs to a source instead of a visitor. Calls go to its destination and are credited to the source.
 * Given up, it drains like a pool's: the paper is still out there.
 */
import type { Destination } from "../account/destinations.store.js";
import type { Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { IdSource } from "../kernel/ids.js";
import type { E164 } from "../telephony/e164.js";
import type { NumberType } from "../telephony/npa.js";
import { assertAccountRoom, lockAccountNumbers } from "./account-room.store.js";
import { describeFitting, type FittingPool, fittingNumbers } from "./fitting-numbers.js";
import { type MoveDeps, removeNumber } from "./number-moves.js";
import { pickAvailable } from "./number-picks.store.js";
import { lockKnown, type LockedNumber, lockNumber, type PromoNumber, writeMove } from "./numbers.store.js";
import { canMove } from "./promo-number.js";
import {
  endStatic,
  getStatic,
  putStatic,
  type StaticNumber,
  type StaticSettings,
  updateStatic,
} from "./static-numbers.store.js";

export type StaticDeps = MoveDeps & { readonly ids: IdSource };

/** Nobody knows who saw a printed number when: it drains for as long as `drain_s` says. */
const RETENTION_S = 259_200;

export type WantedNumber =
  | { readonly kind: "named"; readonly number: E164 }
  | ({ readonly kind: "any"; readonly type: NumberType; readonly npa: string | null } & Partial<
      Pick<FittingPool, "npaFallback">
    >);

/**
 * From the inventory, or, by name, a draining number of the account, or (admin) one that is being ported in and has arrived.
 * @throws AppError("inventory_short"); AppError("account_limit"); AppError("not_found") for a number that the account may not know of;
 *   AppError("illegal_transition")
 */
export async function createStatic(
  deps: StaticDeps,
  input: {
    wanted: WantedNumber;
    destination: Destination;
    settings: Omit<StaticSettings, "destinationId">;
    mayTakePorted: boolean;
    actor: string;
  },
): Promise<StaticNumber> {
  const { wanted, destination, settings, actor } = input;
  const { accountId } = destination;
  return deps.db.transaction(async (tx) => {
    const account = await lockAccountNumbers(tx, accountId);
    const known =
      wanted.kind === "any"
        ? await takeAny(tx, wanted, destination)
        : await takeNamed(tx, { ...input, accountId, e164: wanted.number });
    // One that drains is the account's already.
    if (known.accountId === null) assertAccountRoom(account, 1);
    const number = await writeMove(tx, known, {
      state: "assigned",
      role: "static",
      accountId,
      poolId: null,
      nextCheckAt: null,
      reason: `static: ${settings.name}`,
      actor,
    });
    const { id: numberId, ownershipEpoch } = number;
    const held = { ...settings, numberId, ownershipEpoch, accountId, destinationId: destination.id };
    const id = await putStatic({ db: tx, ids: deps.ids }, held);
    return getStatic(tx, { id, accountId: null });
  });
}

/** Holds for later calls; records keep what they have. @throws AppError("conflict") once it was given up */
export async function editStatic(
  deps: StaticDeps,
  input: {
    known: StaticNumber;
    changes: Partial<Omit<StaticSettings, "destinationId">>;
    destination: Destination | null;
  },
): Promise<StaticNumber> {
  const { known, changes, destination } = input;
  const settings = { ...known, ...changes, destinationId: destination?.id ?? known.destinationId };
  if (!(await updateStatic(deps.db, known.id, settings))) throw givenUp();
  return getStatic(deps.db, { id: known.id, accountId: null });
}

/** Drains, then goes to quarantine by its job. @throws AppError("conflict") once it was given up */
export async function endStaticNumber(
  deps: StaticDeps,
  input: { known: StaticNumber; skipDraining: boolean; actor: string },
): Promise<void> {
  const { known, skipDraining, actor } = input;
  const check = await deps.db.transaction(async (tx) => {
    const number = await lockNumber(tx, known.number);
    if (!(await endStatic(tx, known.id))) throw givenUp();
    // Quarantined by hand before: then there is nothing left to drain.
    if (number.state !== "assigned" || number.role !== "static") return null;
    const why = { reason: `static number given up: ${known.name}`, actor };
    return (await removeNumber(tx, number, { ...why, drainS: known.drainS, retentionS: RETENTION_S, skipDraining }))
      .check;
  });
  if (check !== null) deps.schedule.checkLater(check);
}

async function takeAny(
  tx: Queryable,
  wanted: WantedNumber & { kind: "any" },
  destination: Destination,
): Promise<LockedNumber> {
  const { type: numberType, npa, npaFallback = [] } = wanted;
  const asked = { numberType, npa, npaFallback, destinationNumber: destination.number };
  const [known] = await pickAvailable(tx, { fitting: fittingNumbers(asked), count: 1 });
  if (known !== undefined) return known;
  throw new AppError("inventory_short", `The inventory has no ${describeFitting(asked)} number; import or buy one.`);
}

async function takeNamed(
  tx: Queryable,
  input: { e164: E164; accountId: string; mayTakePorted: boolean },
): Promise<LockedNumber> {
  const { e164, accountId, mayTakePorted } = input;
  const mayKnow = (number: PromoNumber): boolean =>
    number.accountId === accountId || number.state === "available" || (number.state === "porting" && mayTakePorted);
  const known = await lockKnown(tx, e164, mayKnow);
  if (known === null) throw new AppError("not_found", "There is no such number.");
  if (!canMove(known.state, "assigned")) {
    throw new AppError("illegal_transition", `A number that is ${known.state} cannot become static.`);
  }
  return known;
}

function givenUp(): AppError {
  return new AppError("conflict", "It was given up.");
}
