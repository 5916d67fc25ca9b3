/** The presentations a match could see: the log at or below the sequence it saw. Read to judge and to explain it, never to make it. */
import { sql, timestamp, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { PresentedTo } from "./match.js";

export const CANDIDATES = sql(
  "match_candidates",
  `select asked.position::int as position, seen.*
   from unnest($1::text[], $2::bigint[], $3::int[], $4::bigint[], $5::timestamptz[], $6::text[])
       with ordinality as asked (account_id, number_id, ownership_epoch, seq, at, pool_id, position)
     cross join lateral (
       select p.seq, p.presentation_id as "presentationId", p.visitor_id as "visitorId", p.presented_at as "presentedAt",
         p.retained_until as "retainedUntil"
       from presentation p
       where p.account_id = asked.account_id and p.number_id = asked.number_id and p.ownership_epoch = asked.ownership_epoch
         and p.pool_id = asked.pool_id and p.seq <= asked.seq and p.presented_at >= asked.at - interval '3 days 1 hour'
         -- The sequence says what the match saw; this, which days are not looked into at all. A late call's time is by this process's clock.
         and p.presented_at <= asked.at + interval '1 hour'
       order by p.seq desc limit $7
     ) seen
   order by asked.position, seen.seq desc`,
);

/** An explanation lists no more: beyond it the shares are nil. */
export const CANDIDATES_MAX = 200;

/** A match, as its record has it: what it could see in the log. */
export interface MatchSeen {
  readonly accountId: string;
  readonly poolId: string;
  readonly numberId: number;
  readonly ownershipEpoch: number;
  readonly matchedSeq: number;
  readonly receivedAt: Instant;
}

/** For each match, in their order, the presentations it could see, newest first. */
export async function readCandidatesOf(db: Queryable, matches: readonly MatchSeen[]): Promise<PresentedTo[][]> {
  const found: PresentedTo[][] = matches.map(() => []);
  if (matches.length === 0) return found;
  const rows = await db.query<PresentedTo & { position: number }>(CANDIDATES, [
    matches.map((match) => match.accountId),
    matches.map((match) => match.numberId),
    matches.map((match) => match.ownershipEpoch),
    matches.map((match) => match.matchedSeq),
    matches.map((match) => timestamp(match.receivedAt)),
    matches.map((match) => match.poolId),
    CANDIDATES_MAX,
  ]);
  for (const { position, ...presented } of rows) found[position - 1]?.push(presented);
  return found;
}

export async function readCandidates(db: Queryable, match: MatchSeen): Promise<PresentedTo[]> {
  const [found = []] = await readCandidatesOf(db, [match]);
  return found;
}
