/** A pool's past, written straight into the log: visits at even distances, each on the number presented longest ago; and calls. */
import type { Database } from "../../src/db/database.js";
import { rows } from "./database.js";
import { ids, type World } from "./world.js";

export interface EvenLog {
  /** Seconds between visits. */
  readonly everyS: number;
  readonly visits: number;
  readonly lockS: number;
  /** The latest visit was this long ago. */
  readonly endedAgoS?: number;
}

/** Backwards from now; the pool's numbers in turn. */
export async function writeEvenLog(db: Database, { account, pool, numbers }: World, log: EvenLog): Promise<void> {
  await rows(
    db,
    `insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id, promo_number,
       kind, locked_until, retained_until, touch, custom_data, context)
     select $1, n.id, 1, i, at, $4 || i, 'prs' || $4 || i, 'vis' || $4 || i, $2, n.e164, 'presented', at + make_interval(secs => $6),
       at + interval '3 days', '{}', '{}', '{}'
     from generate_series(1, $5::int) i
       join promo_number n on n.e164 = ($3::text[])[i % cardinality($3) + 1]
       cross join lateral (select now() - make_interval(secs => $8 + ($5 - i) * $7) as at) t`,
    [account.id, pool.id, numbers, `_${ids.next("prl")}_`, log.visits, log.lockS, log.everyS, log.endedAgoS ?? 0],
  );
}

export interface PastCall {
  readonly number: string;
  readonly receivedAgoS: number;
  readonly delayS: number;
  readonly talkMs?: number;
}

/** Matched and completed calls. */
export async function writeCalls(db: Database, { account, pool }: World, calls: readonly PastCall[]): Promise<void> {
  await rows(
    db,
    `insert into call (id, account_id, pool_id, received_at, ingress, ingress_call_id, promo_number, disposition, status, progress, talk_ms,
       attribution, presentation_id, visitor_id, presented_at, matched_seq, updated_at)
     select c.id, $1, $2, now() - make_interval(secs => c.ago), 'sip', c.id, c.number, 'routed', 'completed', '{}', c.talk,
       'matched', 'prs', 'vis', now() - make_interval(secs => c.ago + c.delay), 1, now()
     from unnest($3::text[], $4::text[], $5::float8[], $6::float8[], $7::int[]) as c (id, number, ago, delay, talk)`,
    [
      account.id,
      pool.id,
      calls.map(() => ids.next("call")),
      calls.map((call) => call.number),
      calls.map((call) => call.receivedAgoS),
      calls.map((call) => call.delayS),
      calls.map((call) => call.talkMs ?? null),
    ],
  );
}
