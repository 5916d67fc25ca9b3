/** Destinations: the businesses' own numbers, where calls end up. Unique per account, not globally. */
import { sql, sqlState, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { AccountId, DestinationId, IdSource } from "../kernel/ids.js";
import type { E164 } from "../telephony/e164.js";
import { classifyNumber, type NumberType } from "../telephony/npa.js";

export const DESTINATION_STATUSES = ["tracked", "discovered", "ignored"] as const;
export type DestinationStatus = (typeof DESTINATION_STATUSES)[number];

/** What the business's phone shows as the calling number: who calls, or which of its promo numbers was dialled. */
export const CALLER_IDS = ["caller", "promo_number"] as const;
export type CallerId = (typeof CALLER_IDS)[number];

export interface Destination {
  readonly id: DestinationId;
  readonly accountId: AccountId;
  readonly number: E164;
  readonly numberType: NumberType;
  readonly npa: string | null;
  readonly name: string | null;
  readonly sipUri: string | null;
  /** E.164 numbers or SIP URIs, tried in order after the destination itself. */
  readonly failover: readonly string[];
  readonly maxConcurrentCalls: number | null;
  readonly ringTimeoutS: number;
  readonly callerId: CallerId;
  /** Whether the business's INVITE carries our call and presentation id (src/sip/leg-headers.ts). */
  readonly passIds: boolean;
  /** Spoken to the business before a carrier connects the caller; null: nothing. */
  readonly whisper: string | null;
  /** The consent that callers hear before a carrier records the call; null: no recording. */
  readonly recordAnnouncement: string | null;
  readonly status: DestinationStatus;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

export interface DestinationInput {
  readonly number: E164;
  readonly name?: string | null | undefined;
  readonly sipUri?: string | null | undefined;
  readonly failover?: readonly string[] | undefined;
  readonly maxConcurrentCalls?: number | null | undefined;
  readonly ringTimeoutS?: number | undefined;
  readonly callerId?: CallerId | undefined;
  readonly passIds?: boolean | undefined;
  readonly whisper?: string | null | undefined;
  readonly recordAnnouncement?: string | null | undefined;
  readonly status?: DestinationStatus | undefined;
}

/** What may be changed. `null` clears, `undefined` leaves. */
export type DestinationChanges = Omit<DestinationInput, "number">;

/** Pages can name any number, so what was merely seen is bounded: a large site has some hundred numbers. */
export const DISCOVERED_MAX_PER_ACCOUNT = 1_000;
/** In 24 hours: a visitor who posts numbers of their own fills the list in days, not in minutes. */
export const DISCOVERED_A_DAY_MAX = 200;
const RING_TIMEOUT_S_DEFAULT = 30;

const COLUMNS = `id, account_id as "accountId", number, number_type as "numberType", npa, name, sip_uri as "sipUri", failover,
  max_concurrent_calls as "maxConcurrentCalls", ring_timeout_s as "ringTimeoutS", caller_id as "callerId", pass_ids as "passIds",
  whisper, record_announcement as "recordAnnouncement", status, created_at as "createdAt", updated_at as "updatedAt"`;

const INSERT = sql(
  "destination_insert",
  `insert into destination (id, account_id, number, number_type, npa, name, sip_uri, failover, max_concurrent_calls, ring_timeout_s,
     caller_id, pass_ids, status, whisper, record_announcement)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) returning ${COLUMNS}`,
);
const INSERT_DISCOVERED = sql(
  "destination_insert_discovered",
  `with seen as (
     select count(*) filter (where d.status = 'discovered') >= ${DISCOVERED_MAX_PER_ACCOUNT}
       or count(*) filter (where d.discovered_at > now() - interval '1 day') >= ${DISCOVERED_A_DAY_MAX} as is_full
     from destination d where d.account_id = $2 and d.discovered_at is not null
   ), added as (
     insert into destination (id, account_id, number, number_type, npa, status, discovered_at)
       select $1, $2, $3, $4, $5, 'discovered', now() from seen
       -- A page kept in a cache shows a visitor's promo number: that is no business's.
       where not seen.is_full and not exists (select 1 from promo_number n where n.e164 = $3)
       on conflict (account_id, number) do nothing returning id
   )
   select is_full as "isFull", exists (select 1 from added) as "isNew" from seen`,
);
const INSERT_TRACKED = sql(
  "destination_insert_tracked",
  `insert into destination (id, account_id, number, number_type, npa, status, discovered_at)
   values ($1, $2, $3, $4, $5, 'tracked', now())
   on conflict (account_id, number) do update set status = 'tracked', updated_at = now() where destination.status = 'discovered'
   returning ${COLUMNS}`,
);
const SELECT_ONE = sql(
  "destination_select_one",
  `select ${COLUMNS} from destination where id = $1 and ($2::text is null or account_id = $2)`,
);
const SELECT_BY_NUMBER = sql(
  "destination_select_by_number",
  `select ${COLUMNS} from destination where account_id = $1 and number = $2`,
);
const SELECT_PAGE = sql(
  "destination_select_page",
  `select ${COLUMNS} from destination
   where id > $1 and ($2::text is null or account_id = $2) and ($3::text is null or status = $3) order by id limit $4`,
);
const UPDATE = sql(
  "destination_update",
  `update destination set name = $2, sip_uri = $3, failover = $4, max_concurrent_calls = $5, ring_timeout_s = $6, caller_id = $7,
     pass_ids = $8, status = $9, whisper = $10, record_announcement = $11, updated_at = now() where id = $1 returning ${COLUMNS}`,
);
// A deleted pool lets go of it once no number of its own drains any more; one in use, or used since this began, is kept by its foreign key.
const DELETE = sql(
  "destination_delete",
  `with freed as (
     update pool p set destination_id = null
     where p.destination_id = $1 and p.deleted_at is not null and not exists (select from promo_number n where n.pool_id = p.id))
   delete from destination where id = $1 returning id`,
);

/** @throws AppError("already_exists") when the account tracks that number already */
export async function createDestination(
  deps: { db: Queryable; ids: IdSource },
  accountId: string,
  input: DestinationInput,
): Promise<Destination> {
  const { type, npa } = classifyNumber(input.number);
  const status = input.status ?? "tracked";
  try {
    const [row] = await deps.db.query<Destination>(INSERT, [
      deps.ids.next("dst"),
      accountId,
      input.number,
      type,
      npa,
      input.name ?? null,
      input.sipUri ?? null,
      input.failover ?? [],
      input.maxConcurrentCalls ?? null,
      input.ringTimeoutS ?? RING_TIMEOUT_S_DEFAULT,
      input.callerId ?? "caller",
      input.passIds ?? false,
      status,
      input.whisper ?? null,
      input.recordAnnouncement ?? null,
    ]);
    return row as Destination;
  } catch (error) {
    if (sqlState(error) !== "23505") throw error;
    return adoptDiscovered(deps.db, accountId, input, status);
  }
}

/** A number seen on a page before anybody entered it: entering it now is no conflict. */
async function adoptDiscovered(
  db: Queryable,
  accountId: string,
  input: DestinationInput,
  status: DestinationStatus,
): Promise<Destination> {
  const known = await findDestination(db, { accountId, number: input.number });
  if (known === null || known.status !== "discovered") {
    throw new AppError("already_exists", `The account has a destination ${input.number} already.`);
  }
  return updateDestination(db, known, { ...input, status });
}

/** A number found on a page. @returns full: the account's list holds as many as it may, or the day brought as many; then it is not listed */
export async function discoverDestination(
  deps: { db: Queryable; ids: IdSource },
  accountId: string,
  number: E164,
): Promise<"new" | "known" | "full"> {
  const { type, npa } = classifyNumber(number);
  const values = [deps.ids.next("dst"), accountId, number, type, npa];
  const [row] = await deps.db.query<{ isFull: boolean; isNew: boolean }>(INSERT_DISCOVERED, values);
  if (row?.isFull === true) return "full";
  return row?.isNew === true ? "new" : "known";
}

/** A number found on a page that is tracked from now on. @returns null when it is tracked or ignored already */
export async function trackDiscovered(
  deps: { db: Queryable; ids: IdSource },
  accountId: string,
  number: E164,
): Promise<Destination | null> {
  const { type, npa } = classifyNumber(number);
  const values = [deps.ids.next("dst"), accountId, number, type, npa];
  const [destination] = await deps.db.query<Destination>(INSERT_TRACKED, values);
  return destination ?? null;
}

/** @param accountId null: any account (admin). @throws AppError("not_found") */
export async function getDestination(
  db: Queryable,
  input: { id: string; accountId: string | null },
): Promise<Destination> {
  const [row] = await db.query<Destination>(SELECT_ONE, [input.id, input.accountId]);
  if (row === undefined) throw new AppError("not_found", "There is no such destination.");
  return row;
}

export async function findDestination(
  db: Queryable,
  input: { accountId: string; number: string },
): Promise<Destination | null> {
  const [row] = await db.query<Destination>(SELECT_BY_NUMBER, [input.accountId, input.number]);
  return row ?? null;
}

export async function listDestinations(
  db: Queryable,
  page: { accountId: string | null; status: DestinationStatus | null; after: string; limit: number },
): Promise<Destination[]> {
  return db.query<Destination>(SELECT_PAGE, [page.after, page.accountId, page.status, page.limit]);
}

export async function updateDestination(
  db: Queryable,
  known: Destination,
  changes: DestinationChanges,
): Promise<Destination> {
  const next = { ...known, ...definedOf(changes) };
  const [row] = await db.query<Destination>(UPDATE, [
    known.id,
    next.name,
    next.sipUri,
    next.failover,
    next.maxConcurrentCalls,
    next.ringTimeoutS,
    next.callerId,
    next.passIds,
    next.status,
    next.whisper,
    next.recordAnnouncement,
  ]);
  return row as Destination;
}

/** @throws AppError("conflict") while a pool, a draining number of a deleted pool, or a static number, even a former one, points to it */
export async function deleteDestination(db: Queryable, known: Destination): Promise<void> {
  try {
    await db.query(DELETE, [known.id]);
  } catch (error) {
    if (sqlState(error) === "23503") {
      throw new AppError(
        "conflict",
        "Pools, numbers that still drain, or static numbers point to this destination; set its status to ignored instead.",
      );
    }
    throw error;
  }
}

function definedOf<T extends object>(changes: T): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as never;
}
