/** Builders for the usual cast: an account with a destination, numbers in the inventory, a pool, and what presents from it. */
import { type Account, createAccount } from "../../src/account/accounts.store.js";
import { createDestination, type Destination } from "../../src/account/destinations.store.js";
import type { Database, Queryable } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { createIdSource } from "../../src/kernel/ids.js";
import { systemRandom } from "../../src/kernel/random.js";
import { createSecrets } from "../../src/kernel/secrets.js";
import type { NumberCheck } from "../../src/pool/number-moves.js";
import { insertNumbers, listNumbers } from "../../src/pool/numbers.store.js";
import { createPool, editPool } from "../../src/pool/pool-changes.js";
import type { NewPool, Pool } from "../../src/pool/pools.store.js";
import type { AllocationRequest } from "../../src/pool/presentations.store.js";
import type { InboundCall } from "../../src/routing/inbound-call.js";
import type { E164 } from "../../src/telephony/e164.js";

export const ids = createIdSource(systemClock, systemRandom);
export const secrets = createSecrets("a secret for tests only", systemRandom);

/** Remembers what was asked for, as the job queue would. */
export class RecordingSchedule {
  readonly checks: NumberCheck[] = [];
  checkLater(check: NumberCheck): void {
    this.checks.push(check);
  }
}

let serial = 0;

/** Distinct numbers: +1 888 5xx xxxx. */
export function tollFreeNumbers(count: number): E164[] {
  return Array.from({ length: count }, () => `+1888${String(5_000_000 + serial++)}` as E164);
}

export async function makeAccount(db: Database, name = "Acme"): Promise<Account> {
  return createAccount({ db, ids, random: systemRandom }, { name, autoCreatePools: false });
}

export async function makeDestination(db: Database, account: Account, number = "+18005550100"): Promise<Destination> {
  return createDestination({ db, ids }, account.id, { number: number as E164, sipUri: "sip:business@127.0.0.1:5090" });
}

export async function addInventory(db: Queryable, numbers: readonly E164[]): Promise<void> {
  const entries = numbers.map((number) => ({ number, carrier: null, credentialId: null }));
  await insertNumbers(db, { numbers: entries, reason: "import", actor: "test" });
}

/** A billing day that no test run comes near: limits of a cycle are then the same at its start and end. */
export function farBillingDay(): number {
  return ((new Date().getUTCDate() + 13) % 28) + 1;
}

export interface World {
  readonly account: Account;
  readonly destination: Destination;
  readonly pool: Pool;
  /** The pool's numbers for visitors, ascending. */
  readonly numbers: readonly E164[];
  readonly schedule: RecordingSchedule;
}

/** One account, one destination, one full toll-free pool of `size` numbers for visitors (and none for overflow unless asked). */
export async function makeWorld(db: Database, size: number, settings: Partial<NewPool> = {}): Promise<World> {
  const account = await makeAccount(db);
  const destination = await makeDestination(db, account);
  const overflow = settings.overflow ?? "original_number";
  const added = tollFreeNumbers(size + (overflow === "overflow_number" ? 1 : 0));
  await addInventory(db, added);
  const schedule = new RecordingSchedule();
  const deps = { db, ids, schedule };
  const filled = await createPool(deps, {
    pool: {
      accountId: account.id,
      name: "pool",
      kind: "automatic",
      campaign: null,
      destinationId: destination.id,
      numberType: "toll_free",
      npa: null,
      sessionLifetimeS: 1800,
      retentionS: 259_200,
      drainS: 259_200,
      autoscale: null,
      npaFallback: [],
      ...settings,
      maxSize: added.length,
      overflow,
    },
    fillImmediately: true,
    actor: "test",
  });
  const changes = settings.maxSize === undefined ? {} : { maxSize: settings.maxSize };
  const pool = await editPool(deps, { poolId: filled.id, changes, destination: null, actor: "test" });
  // Earlier tests may have left lower numbers in the inventory: then the pool has those.
  const held = await listNumbers(db, { ...EVERY_NUMBER, poolId: pool.id, limit: added.length });
  const numbers = held.filter(({ role }) => role === "pool").map(({ e164 }) => e164);
  return { account, destination, pool, numbers, schedule };
}

const EVERY_NUMBER = { accountId: null, state: null, poolId: null, type: null, npa: null, after: "" };

export function allocationFor(
  world: Pick<World, "account" | "pool">,
  visitorId: string = ids.next("vis"),
): AllocationRequest {
  return {
    accountId: world.account.id,
    poolId: world.pool.id,
    visitorId,
    freshVisitorId: ids.next("vis"),
    presentationId: ids.next("prs"),
    logId: ids.next("prl"),
    touch: {},
    customData: {},
    context: {},
  };
}

/** A call as an ingress would hand it over; every one is a call of its own unless `changes` says otherwise. */
export function inboundCall(promoNumber: string, changes: Partial<InboundCall> = {}): InboundCall {
  const ingressCallId = ids.next("req");
  return {
    ingress: "sip",
    ingressKey: `sip test ${ingressCallId}`,
    ingressCallId,
    promoNumber,
    caller: "+14155550123",
    callerName: null,
    diversion: null,
    verstat: null,
    node: "node-test",
    ...changes,
  };
}
