/**
 * What a match reads. In time: the number's own row, one probe whatever the size of the log. Late: the log and the number's history, as they stood
 * when the call came. What an explanation weighs: candidates.store.ts.
 */
import type { CallerId } from "../account/destinations.store.js";
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { NumberRole, NumberState } from "../pool/promo-number.js";
import type { NumberStanding, PresentedTo } from "./match.js";

/** A number as a call finds it. */
export interface NumberFacts {
  readonly numberId: number;
  readonly e164: string;
  readonly state: NumberState;
  readonly accountId: string | null;
  readonly formerAccountId: string | null;
  readonly poolId: string | null;
  readonly ownershipEpoch: number;
  readonly credentialId: string | null;
  readonly hostAccountId: string | null;
  readonly standing: NumberStanding;
  /** The number's sequence at the match; a record keeps it so that replay can stop there. */
  readonly seq: number;
  /** Of the latest presentation; of a static number, its source's. */
  readonly touch: Readonly<Record<string, unknown>> | null;
  readonly customData: Readonly<Record<string, unknown>> | null;
  readonly destination: DestinationFacts | null;
}

export interface DestinationFacts {
  readonly number: string;
  readonly sipUri: string | null;
  readonly failover: readonly string[];
  readonly ringTimeoutS: number;
  readonly maxConcurrentCalls: number | null;
  readonly callerId: CallerId;
  readonly passIds: boolean;
  /** Spoken to the business before a carrier connects the caller; null: nothing. */
  readonly whisper: string | null;
  /** Spoken to callers before a carrier records the call; null: no recording. */
  readonly recordAnnouncement: string | null;
}

export const MATCH_NUMBER = sql(
  "match_number",
  `select clock_timestamp() as now, n.id, n.e164, n.state, n.role, n.account_id, n.former_account_id, n.pool_id, n.ownership_epoch,
     n.credential_id, n.host_account_id, n.presentation_seq, n.presentation_id, n.visitor_id, n.last_presented_at, n.retained_until,
     coalesce(s.touch, n.touch) as touch, n.custom_data, d.number, d.sip_uri, d.failover, d.ring_timeout_s, d.max_concurrent_calls, d.caller_id, d.pass_ids, d.whisper, d.record_announcement,
     recorded.call_id is not null as is_recorded
   from unnest($1::text[], $2::text[]) with ordinality as asked (e164, ingress_key, position) left join promo_number n on n.e164 = asked.e164
     left join static_number s on n.role = 'static' and s.number_id = n.id and s.ownership_epoch = n.ownership_epoch
     left join pool p on p.id = n.pool_id left join destination d on d.id = coalesce(p.destination_id, s.destination_id)
     -- Kept apart, or the planner may read all keys once instead of probing for each.
     left join lateral (select k.call_id from call_key k where k.ingress_key = asked.ingress_key offset 0) recorded on true
   order by asked.position`,
);

interface MatchRow {
  now: Instant;
  id: number | null;
  e164: string;
  state: NumberState;
  role: NumberRole | null;
  account_id: string | null;
  former_account_id: string | null;
  pool_id: string | null;
  ownership_epoch: number;
  credential_id: string | null;
  host_account_id: string | null;
  presentation_seq: number;
  presentation_id: string | null;
  visitor_id: string | null;
  last_presented_at: Instant;
  retained_until: Instant;
  touch: Record<string, unknown> | null;
  custom_data: Record<string, unknown> | null;
  number: string | null;
  sip_uri: string | null;
  failover: string[] | null;
  ring_timeout_s: number | null;
  max_concurrent_calls: number | null;
  caller_id: CallerId | null;
  pass_ids: boolean | null;
  whisper: string | null;
  record_announcement: string | null;
}

/** A number as the database had it at `now`, its own time; null when it is none of ours. */
export interface SeenNumber {
  readonly now: Instant;
  readonly facts: NumberFacts | null;
}

/** A number that is called. `ingressKey` null: whether the call has its record already is not asked. */
export interface AskedNumber {
  readonly e164: string;
  readonly ingressKey: string | null;
}

export interface SeenCall extends SeenNumber {
  /** The ingress call has its record already. */
  readonly isRecorded: boolean;
}

/**
 * @param db for calls that ring now, connections that plan by keys (db/planner.ts)
 * @returns for each call, in their order, the database's time of the look-up, which is the call's arrival, and what was found
 */
export async function readNumbersFacts(db: Queryable, asked: readonly AskedNumber[]): Promise<SeenCall[]> {
  const rows = await db.query<MatchRow & { is_recorded: boolean }>(MATCH_NUMBER, [
    asked.map(({ e164 }) => e164),
    asked.map(({ ingressKey }) => ingressKey),
  ]);
  return rows.map((row) => ({
    now: row.now,
    facts: row.id === null ? null : factsOf(row, row.id, latestOnRow(row)),
    isRecorded: row.is_recorded,
  }));
}

export async function readNumberFacts(db: Queryable, e164: string): Promise<SeenNumber> {
  const [seen] = await readNumbersFacts(db, [{ e164, ingressKey: null }]);
  invariant(seen !== undefined, "every number asked for has its row");
  return seen;
}

// The last move at or before the call says who held the number then; the pool and destination are those of that move.
const FACTS_AT = sql(
  "match_number_at",
  `select now() as now, n.id, n.e164, n.state, n.role, n.account_id, n.former_account_id, n.pool_id, n.ownership_epoch, n.credential_id,
     n.host_account_id, 0 as presentation_seq, null as presentation_id, null as visitor_id, '-infinity'::timestamptz as last_presented_at,
     '-infinity'::timestamptz as retained_until, s.touch, null::jsonb as custom_data, d.number, d.sip_uri, d.failover,
     d.ring_timeout_s, d.max_concurrent_calls, d.caller_id, d.pass_ids, d.whisper, d.record_announcement,
     -- Whatever a match could find was presented after this: the number came into the pool then, or retention, 72 h at most, is over.
     coalesce(a.presentations_kept_from > greatest(n.moved_at, asked.at - interval '72 hours'), false) as "isLogCut"
   from unnest($1::text[], $2::timestamptz[]) with ordinality as asked (e164, at, position)
     left join lateral (
       select p.id, p.e164, p.former_account_id, p.credential_id, p.host_account_id, e.state, e.role, e.account_id, e.pool_id, e.ownership_epoch,
         e.at as moved_at
       from promo_number p join number_event e on e.number_id = p.id and e.at <= asked.at
       where p.e164 = asked.e164 order by e.id desc limit 1
     ) n on true
     left join static_number s on n.role = 'static' and s.number_id = n.id and s.ownership_epoch = n.ownership_epoch
     left join pool p on p.id = n.pool_id left join destination d on d.id = coalesce(p.destination_id, s.destination_id)
     left join account a on a.id = n.account_id
   order by asked.position`,
);
export const LATEST_AT = sql(
  "match_latest_at",
  `select asked.position::int as position, latest.*,
     -- A number's sequence has no holes: one right after the latest means that an erasure took what may have been presented before the call. Of an
     -- earlier owner's time nothing can be told, since the sequence went on elsewhere.
     coalesce(n.ownership_epoch = asked.ownership_epoch and n.presentation_seq > latest.seq, false) and not exists (
       select 1 from presentation p where p.account_id = asked.account_id and p.number_id = asked.number_id and p.seq = latest.seq + 1
         and p.presented_at >= latest."presentedAt" - interval '1 hour') as "isFollowedByHole"
   from unnest($1::text[], $2::bigint[], $3::int[], $4::timestamptz[], $5::text[])
       with ordinality as asked (account_id, number_id, ownership_epoch, at, pool_id, position)
     left join lateral (
       select n.ownership_epoch, n.presentation_seq from promo_number n where n.id = asked.number_id offset 0) n on true
     -- A number that goes to another pool begins anew there, also when it comes back; its row forgets the visitor as well.
     cross join lateral (
       select max(e.at) as at from number_event e
       where e.number_id = asked.number_id and e.ownership_epoch = asked.ownership_epoch and e.pool_id is distinct from asked.pool_id
         and e.at <= asked.at
     ) elsewhere
     cross join lateral (
       select p.seq, p.presentation_id as "presentationId", p.visitor_id as "visitorId", p.presented_at as "presentedAt",
         p.retained_until as "retainedUntil", p.touch, p.custom_data as "customData"
       from presentation p
       where p.account_id = asked.account_id and p.number_id = asked.number_id and p.ownership_epoch = asked.ownership_epoch
         and p.pool_id = asked.pool_id and p.presented_at > coalesce(elsewhere.at, '-infinity')
         -- Arrivals are kept in whole milliseconds: what was presented within that millisecond was presented before the call.
         and p.presented_at < asked.at + interval '1 millisecond'
       order by p.seq desc limit 1
     ) latest`,
);

type LoggedRow = PresentedTo & {
  position: number;
  touch: Record<string, unknown>;
  customData: Record<string, unknown>;
  isFollowedByHole: boolean;
};

type MatchRowThen = MatchRow & { isLogCut: boolean };

/** A number, and when it was called. */
export interface NumberAt {
  readonly e164: string;
  readonly at: Instant;
}

/** As each number stood then, from its history and the presentation log, in their order: for calls that could not be matched in time. */
export async function readNumbersFactsAt(db: Queryable, asked: readonly NumberAt[]): Promise<(NumberFacts | null)[]> {
  const rows = await db.query<MatchRowThen>(FACTS_AT, [
    asked.map(({ e164 }) => e164),
    asked.map(({ at }) => timestamp(at)),
  ]);
  const held = rows.flatMap((row, index) => {
    const at = asked[index]?.at;
    return row.id === null || row.account_id === null || at === undefined ? [] : [{ row, at, index }];
  });
  const latest = new Map<number, LoggedRow>();
  if (held.length > 0) {
    const logged = await db.query<LoggedRow>(LATEST_AT, [
      held.map(({ row }) => row.account_id),
      held.map(({ row }) => row.id),
      held.map(({ row }) => row.ownership_epoch),
      held.map(({ at }) => timestamp(at)),
      held.map(({ row }) => row.pool_id),
    ]);
    for (const found of logged) {
      const index = held[found.position - 1]?.index;
      if (index !== undefined) latest.set(index, found);
    }
  }
  return rows.map((row, index) => factsThen(row, latest.get(index)));
}

export async function readNumberFactsAt(db: Queryable, asked: NumberAt): Promise<NumberFacts | null> {
  const [facts] = await readNumbersFactsAt(db, [asked]);
  return facts ?? null;
}

function factsThen(row: MatchRowThen, latest: LoggedRow | undefined): NumberFacts | null {
  if (row.id === null) return null;
  if (latest === undefined) return factsOf(row, row.id, null, row.isLogCut);
  const { touch, customData, position: _position, isFollowedByHole, ...presented } = latest;
  return factsOf(
    { ...row, presentation_seq: latest.seq, touch, custom_data: customData },
    row.id,
    presented,
    isFollowedByHole,
  );
}

function latestOnRow(row: MatchRow): PresentedTo | null {
  if (row.presentation_id === null || row.visitor_id === null) return null;
  return {
    seq: row.presentation_seq,
    presentationId: row.presentation_id,
    visitorId: row.visitor_id,
    presentedAt: row.last_presented_at,
    retainedUntil: row.retained_until,
  };
}

function factsOf(row: MatchRow, numberId: number, latest: PresentedTo | null, isLogIncomplete = false): NumberFacts {
  return {
    numberId,
    e164: row.e164,
    state: row.state,
    accountId: row.account_id,
    formerAccountId: row.former_account_id,
    poolId: row.pool_id,
    ownershipEpoch: row.ownership_epoch,
    credentialId: row.credential_id,
    hostAccountId: row.host_account_id,
    standing: standingOf(row, latest, isLogIncomplete),
    seq: row.presentation_seq,
    touch: row.touch,
    customData: row.custom_data,
    destination:
      row.number === null
        ? null
        : {
            number: row.number,
            sipUri: row.sip_uri,
            failover: row.failover ?? [],
            ringTimeoutS: row.ring_timeout_s ?? 30,
            maxConcurrentCalls: row.max_concurrent_calls,
            callerId: row.caller_id ?? "caller",
            passIds: row.pass_ids ?? false,
            whisper: row.whisper,
            recordAnnouncement: row.record_announcement,
          },
  };
}

function standingOf(row: MatchRow, latest: PresentedTo | null, isIncomplete: boolean): NumberStanding {
  if (row.state !== "assigned" && row.state !== "draining") return { kind: "unrouted" };
  if (row.role === "overflow") return { kind: "overflow" };
  if (row.role === "static") return { kind: "static" };
  return { kind: "pooled", latest, isIncomplete };
}
