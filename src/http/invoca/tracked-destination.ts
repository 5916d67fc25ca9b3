/** The destination that an Invoca request means: one that it names is made, or tracked from now on; one that it leaves out is the account's only one. */
import {
  createDestination,
  deleteDestination,
  type Destination,
  findDestination,
  listDestinations,
  updateDestination,
} from "../../account/destinations.store.js";
import { AppError } from "../../kernel/errors.js";
import { normalizeNumber } from "../../telephony/e164.js";
import type { HttpDeps } from "../http-deps.js";
import { invalidFields } from "./invoca-error.js";
import { BLANK } from "./read-values.js";

const FIELD = "destination_phone_number";

/** @throws InvocaError for what is no number */
export async function trackDestination(deps: HttpDeps, accountId: string, text: string): Promise<Destination> {
  const number = normalizeNumber(text);
  if (number === null) throw invalidFields({ [FIELD]: ["is not a valid phone number"] });
  const known = await findDestination(deps.db, { accountId, number });
  if (known?.status === "tracked") return known;
  const tracked =
    known === null
      ? await createOrFind(deps, accountId, number)
      : await updateDestination(deps.db, known, { status: "tracked" });
  deps.directory.changed(accountId);
  return tracked;
}

/** Invoca's campaigns have a destination of their own, ours have none: an account with one destination leaves no doubt. */
export async function onlyDestination(deps: HttpDeps, accountId: string): Promise<Destination> {
  const [only, another] = await listDestinations(deps.db, { accountId, status: "tracked", after: "", limit: 2 });
  if (only === undefined || another !== undefined) throw invalidFields({ [FIELD]: [BLANK] });
  return only;
}

/** One that draining or former static numbers still point to stays, as ignored: pages keep its number. */
export async function retireDestination(deps: HttpDeps, known: Destination): Promise<void> {
  try {
    await deleteDestination(deps.db, known);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    await updateDestination(deps.db, known, { status: "ignored" });
  }
  deps.directory.changed(known.accountId);
}

async function createOrFind(deps: HttpDeps, accountId: string, number: Destination["number"]): Promise<Destination> {
  try {
    return await createDestination(deps, accountId, { number });
  } catch (error) {
    // Two requests that name it at once.
    const known = await findDestination(deps.db, { accountId, number });
    if (known === null) throw error;
    return known;
  }
}
