/**
 * The proof that no two visitors ever held one number at a time, from the presentation log alone: what an EXCLUDE constraint over (number, epoch,
 * visitor <>, lock interval &&) would have refused. Locks extended by POST …/renew leave no log row; whoever renewed hands their answers in.
 */
import type { Database } from "../../src/db/database.js";
import { rows } from "./database.js";

export interface LockExtension {
  readonly presentationId: string;
  readonly lockedUntil: number;
}

export interface DoubleLease {
  readonly number: string;
  readonly seq: number;
  readonly visitor: string;
  readonly presented_at: number;
  readonly locked_until: number;
}

/** Presentations made while a lock of another visitor on the same number and epoch still held. Pools that reuse the oldest are left out. */
export async function findDoubleLeases(
  db: Database,
  extensions: readonly LockExtension[] = [],
): Promise<DoubleLease[]> {
  return rows<DoubleLease>(
    db,
    `with extension as (
       select e.presentation_id, max(e.locked_until) as locked_until
       from unnest($1::text[], $2::timestamptz[]) as e (presentation_id, locked_until) group by 1
     ), lease as (
       select l.promo_number, l.seq, l.visitor_id, l.presented_at, lag(l.visitor_id) over w as visitor_before,
         max(greatest(l.locked_until, e.locked_until)) over (w rows between unbounded preceding and 1 preceding) as locked_before
       from presentation l join pool p on p.id = l.pool_id left join extension e on e.presentation_id = l.presentation_id
       where p.overflow <> 'reuse_oldest'
       window w as (partition by l.number_id, l.ownership_epoch order by l.seq)
     )
     select promo_number as number, seq, visitor_id as visitor, presented_at, locked_before as locked_until
     from lease where visitor_id <> visitor_before and locked_before > presented_at`,
    [extensions.map((e) => e.presentationId), extensions.map((e) => new Date(e.lockedUntil).toISOString())],
  );
}

export interface SplitVisitor {
  readonly visitor: string;
  readonly pool_id: string;
  readonly numbers: number;
}

/** Visitors who hold two numbers of one pool at this moment, or were ever given a second one while their first was still theirs. */
export async function findSplitVisitors(db: Database): Promise<SplitVisitor[]> {
  return rows<SplitVisitor>(
    db,
    `with given as (
       -- A visitor is given another number only when the last one was over: taken by somebody else, out of retention, or out of the pool.
       select l.visitor_id, l.pool_id, l.number_id, l.ownership_epoch, l.seq, l.presented_at, l.retained_until,
         lag(l.number_id) over w as before, lag(l.ownership_epoch) over w as before_epoch, lag(l.seq) over w as before_seq,
         lag(l.retained_until) over w as before_retained
       from presentation l window w as (partition by l.visitor_id, l.pool_id order by l.presented_at, l.seq)
     )
     select g.visitor_id as visitor, g.pool_id, 2 as numbers from given g
     where g.before <> g.number_id and g.before_retained >= g.presented_at
       and not exists (select 1 from presentation o where o.number_id = g.before and o.ownership_epoch = g.before_epoch
         and o.seq > g.before_seq and o.visitor_id <> g.visitor_id and o.presented_at <= g.presented_at)
       and not exists (select 1 from number_event e where e.number_id = g.before and e.state in ('draining', 'quarantined')
         and e.at <= g.presented_at + interval '1 second')
     union all
     select n.held_by, n.pool_id, count(*)::int from promo_number n where n.held_by is not null group by 1, 2 having count(*) > 1`,
  );
}

/** Rows of the log that do not follow one another: a number's sequence must have no gap and no double. */
export async function findBrokenSequences(db: Database): Promise<{ number_id: number }[]> {
  return rows(
    db,
    `select n.id as number_id from promo_number n left join (
       select number_id, count(*) as entries, count(distinct seq) as seqs, max(seq) as last from presentation group by 1) l on l.number_id = n.id
     where coalesce(l.entries, 0) <> n.presentation_seq or coalesce(l.seqs, 0) <> n.presentation_seq
       or coalesce(l.last, 0) <> n.presentation_seq`,
  );
}
