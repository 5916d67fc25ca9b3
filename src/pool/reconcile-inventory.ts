/**
 * Compares a carrier's list of our numbers with ours, hourly, both ways. What differs is stored and logged; nothing is given back, taken over or deleted by
 * itself. Two things are put right: webhooks that lead elsewhere, and an order of which nobody knew and whose number is there after all.
 * Idempotent; PostgreSQL says when it is due, so a job that comes twice, or in two processes, does nothing the second time.
 */
import { sql, type Database } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { E164 } from "../telephony/e164.js";
import { CarrierFault } from "./carrier-inventory/carrier-fault.js";
import type { Carriers } from "./carrier-inventory/carriers.js";
import type { NumberCarrier, OwnedNumber } from "./carrier-inventory/number-carrier.js";
import { isSameWebhooks, type WebhookBases, webhooksOf } from "./carrier-inventory/number-webhooks.js";
import { type NewFinding, putFindings, resolveUnseen } from "./inventory-findings.store.js";
import { isOpen, itemOfMark } from "./number-order.js";
import { type ItemOfOrder, readItems } from "./number-orders.store.js";
import { settleUnknownItem } from "./order-runs.store.js";
import { insertNumbers } from "./numbers.store.js";
import type { NumberState } from "./promo-number.js";

export interface ReconcileDeps extends WebhookBases {
  readonly db: Database;
  readonly ids: IdSource;
  readonly carriers: Carriers;
  readonly log: Log;
}

export interface CarrierAccount {
  readonly carrier: string;
  readonly credentialId: string;
}

export const RECONCILE_EVERY_S = 3600;
/** Each takes a request; the rest is put right an hour later. */
const REPAIRS_MAX = 500;
/** A carrier account that we share has thousands of numbers that are none of ours: the first are told one by one, all are stored. */
const LOGGED_MAX = 50;
/** Our numbers read at a time. */
const PAGE = 10_000;
/** A number this young may not have reached the carrier's list. */
const SETTLING_S = 600;

const ENSURE = sql(
  "reconcile_ensure",
  `insert into carrier_reconcile (credential_id, next_run_at) select unnest($1::text[]), now() on conflict (credential_id) do nothing`,
);
const CLAIM = sql(
  "reconcile_claim",
  `update carrier_reconcile set next_run_at = now() + make_interval(secs => ${RECONCILE_EVERY_S}), started_at = now(), finished_at = null, outcome = null
   where credential_id = $1 and next_run_at <= now() returning started_at as "startedAt"`,
);
const IS_DUE = sql("reconcile_is_due", `select 1 as due from carrier_reconcile where next_run_at <= now() limit 1`);
const FINISH = sql(
  "reconcile_finish",
  `update carrier_reconcile set finished_at = now(), outcome = $2 where credential_id = $1`,
);
const CLOCK = sql("reconcile_clock", `select now()::text as now`);
const SELECT_KNOWN = sql(
  "reconcile_select_known",
  `select e164, state, carrier, released_at as "releasedAt" from promo_number where e164 = any ($1)`,
);
const SELECT_HOSTED = sql(
  "reconcile_select_hosted",
  `select n.e164, n.state from promo_number n
   where n.carrier = $1 and n.e164 > $3 and n.state in ('available', 'assigned', 'draining', 'quarantined')
     and n.created_at < now() - make_interval(secs => ${SETTLING_S})
     -- As credentialOfNumber() resolves it: what it names, else its account's, else the platform's.
     and coalesce(n.credential_id,
       (select c.id from carrier_credential c where c.carrier = $1 and c.account_id = coalesce(n.host_account_id, n.account_id)),
       (select c.id from carrier_credential c where c.carrier = $1 and c.account_id is null)) = $2
   order by n.e164 limit ${PAGE}`,
);

interface Known {
  readonly e164: E164;
  readonly state: NumberState;
  readonly carrier: string | null;
  readonly releasedAt: Instant | null;
}

/** Every carrier account whose hour has come. @returns how many were compared */
export async function reconcileDue(deps: ReconcileDeps): Promise<number> {
  const accounts = await deps.carriers.accounts();
  await deps.db.query(ENSURE, [accounts.map(({ credentialId }) => credentialId)]);
  let count = 0;
  for (const account of accounts) {
    if ((await deps.db.query(CLAIM, [account.credentialId])).length === 0) continue;
    count++;
    const outcome = await reconcileAccount(deps, account).catch(faultText);
    await deps.db.query(FINISH, [account.credentialId, outcome]);
    deps.log.info("inventory.reconciled", { ...account, outcome });
  }
  return count;
}

/** For the sweeper: cheap, and false while there is nothing to do. Accounts that were never compared are due as well. */
export async function isReconcileDue(deps: Pick<ReconcileDeps, "db" | "carriers">): Promise<boolean> {
  const accounts = await deps.carriers.accounts();
  if (accounts.length === 0) return false;
  await deps.db.query(ENSURE, [accounts.map(({ credentialId }) => credentialId)]);
  return (await deps.db.query(IS_DUE)).length > 0;
}

/** @returns one line for people. @throws CarrierFault when the list could not be read to its end: then nothing counts as missing */
export async function reconcileAccount(deps: ReconcileDeps, account: CarrierAccount): Promise<string> {
  const carrier = await deps.carriers.open(account);
  if (carrier === null) return "no client";
  const [clock] = await deps.db.query<{ now: string }>(CLOCK);
  const comparison = new Comparison(deps, account, carrier);
  let page: string | null = null;
  do {
    const { numbers, next } = await carrier.listOwned(page);
    await comparison.compare(numbers);
    page = next;
  } while (page !== null);
  await comparison.findGone();
  const resolved = await resolveUnseen(deps.db, { credentialId: account.credentialId, since: clock?.now ?? "now" });
  return `${comparison.listed} listed, ${comparison.found} findings, ${comparison.repaired} repaired, ${resolved} resolved`;
}

class Comparison {
  found = 0;
  repaired = 0;
  private logged = 0;
  private readonly seen = new Set<string>();

  constructor(
    private readonly deps: ReconcileDeps,
    private readonly account: CarrierAccount,
    private readonly carrier: NumberCarrier,
  ) {}

  get listed(): number {
    return this.seen.size;
  }

  /** A page of the carrier's list. */
  async compare(numbers: readonly OwnedNumber[]): Promise<void> {
    for (const { number } of numbers) this.seen.add(number);
    const rows = await this.deps.db.query<Known>(SELECT_KNOWN, [numbers.map(({ number }) => number)]);
    const known = new Map(rows.map((row) => [row.e164, row]));
    const unknown = numbers.filter(({ number }) => !known.has(number));
    const findings = await this.lookAtUnknown(unknown);
    for (const owned of numbers) {
      const ours = known.get(owned.number);
      const finding = ours === undefined ? null : await this.lookAtKnown(owned, ours);
      if (finding !== null) findings.push(finding);
    }
    await this.put(findings);
  }

  /** Ours that the carrier's complete list does not have. */
  async findGone(): Promise<void> {
    const { carrier, credentialId } = this.account;
    for (let after = ""; ; ) {
      const rows = await this.deps.db.query<{ e164: string; state: string }>(SELECT_HOSTED, [
        carrier,
        credentialId,
        after,
      ]);
      const gone = rows.filter(({ e164 }) => !this.seen.has(e164));
      await this.put(
        gone.map(({ e164, state }) => ({
          kind: "gone_there",
          number: e164,
          carrierRef: null,
          detail: `It is ${state} here, and the carrier does not list it: its calls do not come.`,
        })),
      );
      if (rows.length < PAGE) return;
      after = rows.at(-1)?.e164 ?? "";
    }
  }

  private async lookAtUnknown(numbers: readonly OwnedNumber[]): Promise<NewFinding[]> {
    const marked = numbers.flatMap(({ mark }) => itemOfMark(mark) ?? []);
    const items = new Map((await readItems(this.deps.db, marked)).map((item) => [item.id, item]));
    const findings: NewFinding[] = [];
    for (const owned of numbers) {
      const item = items.get(itemOfMark(owned.mark) ?? "");
      // An order that is under way finds it by itself.
      if (item !== undefined && isOpen(item.state)) continue;
      if (item?.state === "unknown" && item.number === owned.number) await this.takeOrdered(owned, item);
      else findings.push(unknownHere(owned, item));
    }
    return findings;
  }

  /** We asked for this number, and nobody knew what had become of it. */
  private async takeOrdered(owned: OwnedNumber, item: ItemOfOrder): Promise<void> {
    const { carrier, credentialId } = this.account;
    await this.deps.db.transaction(async (tx) => {
      await insertNumbers(tx, {
        numbers: [{ number: owned.number, carrier, credentialId }],
        reason: `bought: found in the carrier's list under order ${item.orderId}`,
        actor: "job:inventory",
      });
      await settleUnknownItem(tx, { itemId: item.id, carrierRef: owned.ref });
    });
    this.deps.log.warn("order.item_found", { number: owned.number, orderId: item.orderId, itemId: item.id });
  }

  private async lookAtKnown(owned: OwnedNumber, ours: Known): Promise<NewFinding | null> {
    const base = { number: owned.number, carrierRef: owned.ref };
    if (ours.state === "retired") {
      const since = ours.releasedAt === null ? "" : ", although it was given back";
      return { ...base, kind: "retired_there", detail: `It is retired here, and the carrier still bills it${since}.` };
    }
    if (ours.state === "porting") {
      return { ...base, kind: "port_arrived", detail: "The carrier lists it: activate it, or make it static." };
    }
    if (ours.carrier !== this.account.carrier) return null;
    return this.lookAtWebhooks(owned);
  }

  private async lookAtWebhooks(owned: OwnedNumber): Promise<NewFinding | null> {
    const right = webhooksOf(this.deps, { carrier: this.account.carrier, number: owned.number });
    // A trunk leads to our SIP edge; what webhooks say counts nothing then.
    if (right === null || owned.steeredBy === "trunk") return null;
    const base = { number: owned.number, carrierRef: owned.ref };
    if (owned.steeredBy === "application") {
      return {
        ...base,
        kind: "webhooks_wrong",
        detail: "An application of the carrier's account decides where its calls go.",
      };
    }
    if (isSameWebhooks(owned.webhooks, right)) return null;
    const was = owned.webhooks.voiceUrl === "" ? "nowhere" : `to ${withoutSecrets(owned.webhooks.voiceUrl)}`;
    if (this.repaired >= REPAIRS_MAX) {
      return {
        ...base,
        kind: "webhooks_wrong",
        detail: `Its calls go ${was}; it is put right with the next comparison.`,
      };
    }
    await this.carrier.configure(owned.ref, right);
    this.repaired++;
    return { ...base, kind: "webhooks_repaired", detail: `Its calls or their reports went elsewhere (voice: ${was}).` };
  }

  private async put(findings: readonly NewFinding[]): Promise<void> {
    const fresh = await putFindings(this.deps, { ...this.account, findings });
    this.found += findings.length;
    for (const { kind, number } of fresh.slice(0, LOGGED_MAX - this.logged)) {
      this.logged++;
      const level = kind === "webhooks_repaired" || kind === "port_arrived" ? "info" : "warn";
      this.deps.log[level]("inventory.finding", { kind, number, carrier: this.account.carrier });
    }
  }
}

function unknownHere(owned: OwnedNumber, item: ItemOfOrder | undefined): NewFinding {
  const detail =
    item === undefined
      ? "The carrier has it, we do not: take it over with POST /v1/inventory/adopt, or give it back there."
      : `It was bought for order ${item.orderId}, which has ${item.number ?? "no number"} instead: take it over, or give it back.`;
  return { kind: "unknown_here", number: owned.number, carrierRef: owned.ref, detail };
}

/** Somebody else's URL may hold a password or a token. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return "what is no URL";
  const { origin, pathname } = new URL(url);
  return (origin + pathname).slice(0, 200);
}

function faultText(error: unknown): string {
  if (error instanceof CarrierFault) return `incomplete: ${error.message}`;
  throw error;
}
