/**
 * What replay reads, a page of calls at a time: the records as the calls made them, how the history has their numbers, the lines of the log their
 * matches could see, and whether the log still has the line they did see. Each is one short statement a page, so no snapshot is held.
 */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { Attributed, LoggedPresentation, NumberMove, ReplayedCall, StoredJudgement } from "./replay.js";

const SELECT_CALLS = sql(
  "replay_select_calls",
  `select c.id, c.received_at as "receivedAt", c.promo_number as "promoNumber", c.account_id as "accountId", c.pool_id as "poolId",
     c.number_id as "numberId", c.ownership_epoch as "ownershipEpoch", c.late, c.revision, c.attribution as outcome,
     c.presentation_id as "presentationId", c.visitor_id as "visitorId", c.presented_at as "presentedAt", c.matched_seq as "matchedSeq",
     c.touch, c.custom_data as "customData", c.judged_at as "judgedAt", c.confidence, c.delay_model_id as "delayModelId",
     c.first_touch as "firstTouch", c.landing_page as "landingPage", c.referrer, c.source, c.medium, c.campaign, c.channel, c.consent
   from call c
   where c.received_at >= $1 and c.received_at < $2 and ($3::text is null or c.account_id = $3)
     and ($4::timestamptz is null or (c.received_at, c.id) > ($4, $5))
   order by c.received_at, c.id limit $6`,
);
/** Arrivals are whole milliseconds: what happened within that millisecond happened before the call. */
const SELECT_MOVES = sql(
  "replay_select_moves",
  `select asked.position::int as position, m.*
   from unnest($1::text[], $2::timestamptz[]) with ordinality as asked (e164, at, position)
     cross join lateral (select n.id from promo_number n where n.e164 = asked.e164 offset 0) n
     cross join lateral (
       select e.id, n.id as "numberId", e.at, e.state, e.role, e.account_id as "accountId", e.pool_id as "poolId", e.ownership_epoch as "ownershipEpoch"
       from number_event e where e.number_id = n.id and e.at < asked.at + interval '1 millisecond'
       order by e.id desc limit $3
     ) m
   order by asked.position`,
);
/** A number that goes to another pool begins anew there, also when it comes back: nothing before it left counts. */
const SELECT_LOGGED = sql(
  "replay_select_logged",
  `select asked.position::int as position, latest.*
   from unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[])
       with ordinality as asked (account_id, number_id, ownership_epoch, pool_id, seq, move_id, since, position)
     cross join lateral (
       select max(e.at) as at from number_event e
       where e.number_id = asked.number_id and e.id < asked.move_id and e.ownership_epoch = asked.ownership_epoch
         and e.pool_id is distinct from asked.pool_id
     ) elsewhere
     cross join lateral (
       select p.seq, p.presentation_id as "presentationId", p.visitor_id as "visitorId", p.presented_at as "presentedAt",
         p.retained_until as "retainedUntil", p.touch, p.custom_data as "customData"
       from presentation p
       where p.account_id = asked.account_id and p.number_id = asked.number_id and p.ownership_epoch = asked.ownership_epoch
         and p.pool_id = asked.pool_id and p.seq <= asked.seq and p.presented_at >= asked.since
         and p.presented_at > coalesce(elsewhere.at, '-infinity')
       order by p.seq desc limit 1
     ) latest`,
);
/** Whoever owned the number then: a sequence is the number's own and has no gaps. */
const SELECT_WITNESSES = sql(
  "replay_select_witnesses",
  `select asked.position::int as position
   from unnest($1::bigint[], $2::bigint[]) with ordinality as asked (number_id, seq, position)
   where exists (
     select from (select distinct e.account_id from number_event e where e.number_id = asked.number_id and e.account_id is not null) owner
       cross join lateral (
         select from presentation p where p.account_id = owner.account_id and p.number_id = asked.number_id and p.seq = asked.seq limit 1) line
   )`,
);
const SELECT_SOURCES = sql(
  "replay_select_sources",
  `select asked.position::int as position, s.touch, s.updated_at as "updatedAt"
   from unnest($1::bigint[], $2::int[]) with ordinality as asked (number_id, ownership_epoch, position)
     join static_number s on s.number_id = asked.number_id and s.ownership_epoch = asked.ownership_epoch`,
);

/** More moves of one number are not made within the seconds that a commit may take. */
const MOVES_READ = 4;
/** Retention is 72 h at most, and a lock may outlive it by its session lifetime; older lines are looked for only when nothing newer is found. */
const RECENT_MS = 4 * 86_400_000;

export interface ReplayWindow {
  readonly from: Instant;
  /** Exclusive. */
  readonly to: Instant;
  /** Null: every account, and calls of none. */
  readonly accountId: string | null;
}

type CallRow = Omit<ReplayedCall, "stored" | "judged"> &
  Attributed &
  Omit<StoredJudgement, "at"> & { judgedAt: Instant | null };

/** Oldest first, after the given call. */
export async function readReplayPage(
  db: Queryable,
  page: ReplayWindow & { after: ReplayedCall | null; limit: number },
): Promise<ReplayedCall[]> {
  const { from, to, accountId, after, limit } = page;
  const values = [
    timestamp(from),
    timestamp(to),
    accountId,
    timestamp(after?.receivedAt ?? null),
    after?.id ?? "",
    limit,
  ];
  const rows = await db.query<CallRow>(SELECT_CALLS, values);
  return rows.map((row) => ({
    ...row,
    stored: row,
    judged: row.judgedAt === null ? null : { ...row, at: row.judgedAt },
  }));
}

type Placed<T> = T & { readonly position: number };

/** For each call, the latest lines of its number's history at its arrival, newest first; none for a number we never had. */
export async function readMoves(db: Queryable, calls: readonly ReplayedCall[]): Promise<NumberMove[][]> {
  const found: NumberMove[][] = calls.map(() => []);
  if (calls.length === 0) return found;
  const rows = await db.query<Placed<NumberMove>>(SELECT_MOVES, [
    calls.map((call) => call.promoNumber),
    calls.map((call) => timestamp(call.receivedAt)),
    MOVES_READ,
  ]);
  for (const { position, ...move } of rows) found[position - 1]?.push(move);
  return found;
}

/** A call that found its number in a pool. */
export interface PooledCall {
  readonly call: ReplayedCall;
  readonly move: NumberMove;
}

/** For each call, the latest line of the log at or below the sequence its match saw. */
export async function readLogged(db: Queryable, asked: readonly PooledCall[]): Promise<(LoggedPresentation | null)[]> {
  const found = await latestSince(db, asked, (call) => call.receivedAt - RECENT_MS);
  const missed = asked.flatMap((one, i) => (found[i]?.seq === one.call.stored.matchedSeq ? [] : [i]));
  const older = await latestSince(
    db,
    missed.map((i) => asked[i] as PooledCall),
    () => Number.NEGATIVE_INFINITY,
  );
  for (const [at, i] of missed.entries()) found[i] = older[at] ?? null;
  return found;
}

async function latestSince(
  db: Queryable,
  asked: readonly PooledCall[],
  since: (call: ReplayedCall) => Instant,
): Promise<(LoggedPresentation | null)[]> {
  const found: (LoggedPresentation | null)[] = asked.map(() => null);
  if (asked.length === 0) return found;
  const rows = await db.query<Placed<LoggedPresentation>>(SELECT_LOGGED, [
    asked.map(({ move }) => move.accountId),
    asked.map(({ move }) => move.numberId),
    asked.map(({ move }) => move.ownershipEpoch),
    asked.map(({ move }) => move.poolId),
    asked.map(({ call }) => call.stored.matchedSeq ?? 0),
    asked.map(({ move }) => move.id),
    asked.map(({ call }) => boundOf(since(call))),
  ]);
  for (const { position, ...line } of rows) found[position - 1] = line;
  return found;
}

function boundOf(at: Instant): string | null {
  return Number.isFinite(at) ? timestamp(at) : "-infinity";
}

/** For each call, whether the log still has the line with the sequence its match saw; a match that saw none needs no line. */
export async function readWitnesses(db: Queryable, calls: readonly ReplayedCall[]): Promise<boolean[]> {
  const has = calls.map(({ stored }) => (stored.matchedSeq ?? 0) === 0);
  const asked = calls.flatMap((call, i) => (has[i] === true ? [] : [{ call, i }]));
  if (asked.length === 0) return has;
  const rows = await db.query<{ position: number }>(SELECT_WITNESSES, [
    asked.map(({ call }) => call.numberId),
    asked.map(({ call }) => call.stored.matchedSeq),
  ]);
  for (const { position } of rows) has[asked[position - 1]?.i ?? -1] = true;
  return has;
}

export interface StaticSource {
  readonly touch: Readonly<Record<string, unknown>>;
  readonly updatedAt: Instant;
}

export async function readSources(
  db: Queryable,
  moves: readonly Pick<NumberMove, "numberId" | "ownershipEpoch">[],
): Promise<(StaticSource | null)[]> {
  const found: (StaticSource | null)[] = moves.map(() => null);
  if (moves.length === 0) return found;
  const rows = await db.query<Placed<StaticSource>>(SELECT_SOURCES, [
    moves.map((move) => move.numberId),
    moves.map((move) => move.ownershipEpoch),
  ]);
  for (const { position, ...source } of rows) found[position - 1] = source;
  return found;
}

const SELECT_ACCOUNTS = sql(
  "replay_select_accounts",
  `select id, updated_at as "changedAt", presentations_kept_from > '-infinity' as "isLogCut" from account where id = any ($1)`,
);

export interface ReplayedAccount {
  readonly id: string;
  /** When its settings were last changed. */
  readonly changedAt: Instant;
  /** Its log once began earlier. */
  readonly isLogCut: boolean;
}

export async function readReplayedAccounts(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReplayedAccount>> {
  if (ids.length === 0) return new Map();
  const rows = await db.query<ReplayedAccount>(SELECT_ACCOUNTS, [[...new Set(ids)]]);
  return new Map(rows.map((row) => [row.id, row]));
}
