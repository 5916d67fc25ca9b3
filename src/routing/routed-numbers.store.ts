/** Every number with where its calls go, as the routing table keeps them and the fallback documents are made of. */
import type { DestinationFacts } from "../attribution/match.store.js";
import { sql, type Queryable } from "../db/database.js";
import { isRouted, type NumberState } from "../pool/promo-number.js";

export interface RoutedNumber {
  readonly isRouted: boolean;
  readonly destination: DestinationFacts | null;
  readonly accountId: string | null;
  /** Whose webhooks speak for it; see credentialOfNumber(). */
  readonly credentialId: string | null;
  readonly hostAccountId: string | null;
  /** Whose it is at the carrier's: of its credential, else as it was entered; null when nobody said. */
  readonly carrier: string | null;
}

export interface ReadNumber {
  readonly id: number;
  readonly e164: string;
  readonly routed: RoutedNumber;
}

/** Rows read at a time; keeps a full load from holding a million rows twice. */
const PAGE = 10_000;

const COLUMNS = `n.id, n.e164, n.state, n.account_id as "accountId", n.credential_id as "credentialId", n.host_account_id as "hostAccountId",
  coalesce(c.carrier, n.carrier) as carrier, d.number, d.sip_uri as "sipUri", d.failover, d.ring_timeout_s as "ringTimeoutS", d.max_concurrent_calls as "maxConcurrentCalls", d.caller_id as "callerId", d.pass_ids as "passIds",
  d.whisper, d.record_announcement as "recordAnnouncement"`;
const JOINED = `left join carrier_credential c on c.id = n.credential_id
  left join static_number s on n.role = 'static' and s.number_id = n.id and s.ownership_epoch = n.ownership_epoch
  left join pool p on p.id = n.pool_id left join destination d on d.id = coalesce(p.destination_id, s.destination_id)`;
/** The page is cut before it is joined: by its index, instead of all numbers being joined and sorted for each page, by three processes of PostgreSQL. */
const SELECT_PAGE = sql(
  "routing_select_page",
  `select ${COLUMNS} from (
     select id, e164, state, role, account_id, credential_id, host_account_id, carrier, pool_id, ownership_epoch
     from promo_number where id > $1 and id <= $2 order by id limit ${PAGE}) n ${JOINED} order by n.id`,
);
const SELECT_SOME = sql(
  "routing_select_some",
  `select ${COLUMNS} from promo_number n ${JOINED} where n.e164 = any ($1)`,
);
const SELECT_OF_PLACES = sql(
  "routing_select_of_places",
  `select ${COLUMNS} from promo_number n ${JOINED} where n.id in (
     select m.id from promo_number m where m.pool_id = any ($1)
     union all select m.id from pool o join promo_number m on m.pool_id = o.id where o.destination_id = any ($2)
     union all select f.number_id from static_number f where f.destination_id = any ($2))`,
);

interface Row extends DestinationFacts {
  id: number;
  e164: string;
  state: NumberState;
  accountId: string | null;
  credentialId: string | null;
  hostAccountId: string | null;
  carrier: string | null;
}

/** Ids of numbers, both included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

const ALL: IdRange = { first: 1, last: Number.MAX_SAFE_INTEGER };

/** Ascending by id, a page at a time; the last page is empty or not full. */
export async function* readRoutedNumbers(db: Queryable, range = ALL): AsyncGenerator<readonly ReadNumber[]> {
  for (let last = range.first - 1; ; ) {
    const rows = await db.query<Row>(SELECT_PAGE, [last, range.last]);
    yield rows.map(numberOf);
    last = rows.at(-1)?.id ?? last;
    if (rows.length < PAGE) return;
  }
}

/** Those of the numbers that are ours. */
export async function readRoutedOf(db: Queryable, e164s: readonly string[]): Promise<readonly ReadNumber[]> {
  return (await db.query<Row>(SELECT_SOME, [e164s])).map(numberOf);
}

/** Ids of what numbers stand in and lead to. */
export interface Places {
  readonly pools: readonly string[];
  readonly destinations: readonly string[];
}

/** Numbers that are in one of the pools, or whose calls go to one of the destinations. */
export async function readRoutedOfPlaces(
  db: Queryable,
  { pools, destinations }: Places,
): Promise<readonly ReadNumber[]> {
  return (await db.query<Row>(SELECT_OF_PLACES, [pools, destinations])).map(numberOf);
}

function numberOf(row: Row): ReadNumber {
  const { id, e164, state, accountId, credentialId, hostAccountId, carrier, ...destination } = row;
  // Joined from the left: without a destination every column of it is null.
  const isNowhere = (destination.number as string | null) === null;
  const held = { accountId, credentialId, hostAccountId, carrier };
  return { id, e164, routed: { isRouted: isRouted(state), destination: isNowhere ? null : destination, ...held } };
}
