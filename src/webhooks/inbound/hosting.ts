/**
 * Whose signature counts for a called number, and where its calls go. The database decides at each request; when it does not answer in time, memory
 * does, so that a call rings with PostgreSQL away.
 */
import { type Carrier, type CarrierCredential, credentialOfNumber } from "../../account/carrier-credentials.store.js";
import { readNumberFacts } from "../../attribution/match.store.js";
import { AppError } from "../../kernel/errors.js";
import { isRouted } from "../../pool/promo-number.js";
import type { RouteCallDeps } from "../../routing/route-call.js";
import type { RoutedNumber } from "../../routing/routed-numbers.store.js";
import type { CredentialBook } from "./credential-book.js";
import { CREDENTIAL_EXTRA_MS, CREDENTIAL_LIMIT_MS, STEP_LIMIT_MS, within } from "./within.js";

export interface Hosting {
  /** Null: nobody may sign for this number. */
  readonly credential: CarrierCredential | null;
  /** False: from memory; the database did not answer in time. */
  readonly isDatabaseUp: boolean;
}

/** Null: not one of ours. */
export type HostedNumber = Pick<RoutedNumber, "isRouted" | "destination"> | null;

/** @throws AppError("database_unavailable") when neither the database nor memory knows the number: the carrier then goes to its fallback URL */
export async function hostingOf(
  deps: RouteCallDeps & { readonly credentials: CredentialBook },
  { carrier, called }: { readonly carrier: Carrier; readonly called: string },
): Promise<Hosting> {
  const { credentials, table, log } = deps;
  const reading = credentialOfNumber(deps, { carrier, e164: called });
  const read = await within(log, { step: "credential", ms: CREDENTIAL_LIMIT_MS }, reading);
  if (read !== null) {
    credentials.confirm();
    return { credential: read.value, isDatabaseUp: true };
  }
  const number = table.find(called);
  const credential = number === null ? null : credentials.find(carrier, number);
  if (credential !== null) return { credential, isDatabaseUp: false };
  const readLate = await within(log, { step: "credential", ms: CREDENTIAL_EXTRA_MS }, reading);
  if (readLate !== null) return { credential: readLate.value, isDatabaseUp: true };
  throw new AppError("database_unavailable", "The number's credential is not known while PostgreSQL is away.");
}

/** The number as it stands now, for what happens after a call was routed. */
export async function hostedNumber(
  deps: RouteCallDeps,
  { called, isDatabaseUp }: { readonly called: string; readonly isDatabaseUp: boolean },
): Promise<HostedNumber> {
  const step = { step: "number", ms: STEP_LIMIT_MS };
  const read = isDatabaseUp ? await within(deps.log, step, readNumberFacts(deps.db, called)) : null;
  if (read === null) return deps.table.find(called);
  const { facts } = read.value;
  return facts === null ? null : { isRouted: isRouted(facts.state), destination: facts.destination };
}
