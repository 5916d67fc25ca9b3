/**
 * Whose signature counts for a called number, and where its calls go. The database decides at each request; when it does not answer in time, the
 * last credential that signed for the number is taken from memory, so that a call rings with PostgreSQL away.
 */
import { type Carrier, type CarrierCredential, credentialFor } from "../../account/carrier-credentials.store.js";
import { readNumberFacts } from "../../attribution/match.store.js";
import type { Clock } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import { isRouted } from "../../pool/promo-number.js";
import type { RouteCallDeps } from "../../routing/route-call.js";
import type { RoutedNumber } from "../../routing/routed-numbers.store.js";
import { CREDENTIAL_EXTRA_MS, CREDENTIAL_LIMIT_MS, within } from "./within.js";

export interface Hosting {
  /** Null: nobody may sign for this number. */
  readonly credential: CarrierCredential | null;
  /** Null: not one of ours. */
  readonly number: Pick<RoutedNumber, "isRouted" | "destination"> | null;
  /** False: from memory; the database did not answer in time. */
  readonly isDatabaseUp: boolean;
}

/** @throws AppError("database_unavailable") when neither the database nor memory knows: the carrier then goes to its fallback URL */
export async function hostingOf(
  deps: RouteCallDeps & { readonly credentials: CredentialCache },
  input: { carrier: Carrier; called: string },
): Promise<Hosting> {
  const { carrier, called } = input;
  const reading = readHosting(deps, input);
  const read = await within(deps.log, { step: "credential", ms: CREDENTIAL_LIMIT_MS }, reading);
  if (read !== null) return read.value;
  const credential = deps.credentials.get(carrier, called);
  if (credential !== null) return { credential, number: deps.table.find(called), isDatabaseUp: false };
  const readLate = await within(deps.log, { step: "credential", ms: CREDENTIAL_EXTRA_MS }, reading);
  if (readLate !== null) return readLate.value;
  throw new AppError("database_unavailable", "The number's credential is not known while PostgreSQL is away.");
}

async function readHosting(deps: RouteCallDeps, input: { carrier: Carrier; called: string }): Promise<Hosting> {
  const { facts } = await readNumberFacts(deps.db, input.called);
  const { credentialId, hostAccountId, accountId } = facts ?? PLATFORM;
  const credential = await credentialFor(deps, { carrier: input.carrier, credentialId, hostAccountId, accountId });
  const number = facts === null ? null : { isRouted: isRouted(facts.state), destination: facts.destination };
  return { credential, number, isDatabaseUp: true };
}

const PLATFORM = { credentialId: null, hostAccountId: null, accountId: null };

/** Numbers with their credential kept in memory, about 1 kB each. */
export const CACHED_CREDENTIALS_MAX = 20_000;
/** How long a credential may speak while the database is away and cannot say that it was replaced. */
export const CACHED_CREDENTIAL_TTL_MS = 24 * 60 * 60 * 1000;

/** Holds only credentials that have signed for the number, so requests that anybody can send never push one out. */
export class CredentialCache {
  /** Least recently confirmed first. */
  private readonly entries = new Map<string, { readonly credential: CarrierCredential; readonly seenMs: number }>();

  constructor(private readonly clock: Pick<Clock, "monotonicMs">) {}

  get(carrier: Carrier, called: string): CarrierCredential | null {
    const entry = this.entries.get(`${carrier} ${called}`);
    if (entry === undefined || this.clock.monotonicMs() - entry.seenMs >= CACHED_CREDENTIAL_TTL_MS) return null;
    return entry.credential;
  }

  /** Only what the database has just said and a signature has just confirmed. */
  put(carrier: Carrier, called: string, credential: CarrierCredential): void {
    const key = `${carrier} ${called}`;
    this.entries.delete(key);
    this.entries.set(key, { credential, seenMs: this.clock.monotonicMs() });
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= CACHED_CREDENTIALS_MAX) return;
      this.entries.delete(oldest);
    }
  }

  /** A credential was changed: a revoked secret must not speak from memory (the routing channel tells "carrier_credential"). */
  clear(): void {
    this.entries.clear();
  }
}
