/** A presentation log in bulk, for numbers that bench/tenants.ts made: so many presentations of each number on each of the last days. */
import type { Database } from "../src/db/database.js";

export interface LogPlan {
  /** The first so many. */
  readonly numbers: number;
  readonly aDay: number;
  /** Today's is the last of them. */
  readonly days: number;
}

const INSERT_LOG = `insert into presentation (account_id, number_id, ownership_epoch, seq, presented_at, id, presentation_id, visitor_id, pool_id,
    promo_number, kind, locked_until, retained_until, touch, custom_data, context)
  select n.account_id, n.id, 1, $1::int * $2::int + s, at, 'prl_' || n.id || '_' || $1 || '_' || s, 'prs_' || n.id || '_' || $1 || '_' || s,
    'vis_' || n.id || '_' || s, n.pool_id, n.e164, 'presented', at + interval '30 minutes', at + interval '72 hours',
    '{"utm_source":"google"}', '{}', '{}'
  from promo_number n cross join generate_series(1, $2::int) s
    cross join lateral (
      select date_trunc('day', now(), 'UTC') - make_interval(days => $1::int) + make_interval(secs => (75000 * s / $2::int) + n.id % 3000) as at
    ) t
  where n.id > $3 and n.id <= $4`;

/** Rows of one statement: it must end within the service's statement timeout. */
const ROWS_A_STATEMENT = 100_000;

export async function loadPresentationLog(db: Database, { numbers, aDay, days }: LogPlan): Promise<void> {
  const numbersAStatement = Math.max(1, Math.floor(ROWS_A_STATEMENT / aDay));
  await db.query({ name: "", text: "select ensure_partitions(now() - make_interval(days => $1))" }, [days - 2]);
  // All days at a time: each goes to a partition of its own, so they do not wait for one another.
  await Promise.all(
    Array.from({ length: days }, async (_, day) => {
      for (let from = 0; from < numbers; from += numbersAStatement)
        await db.transaction(async (tx) => {
          // Loading is not what is measured.
          await tx.query({ name: "", text: "set local synchronous_commit = off" });
          await tx.query({ name: "", text: INSERT_LOG }, [
            day,
            aDay,
            from,
            Math.min(numbers, from + numbersAStatement),
          ]);
        });
    }),
  );
}

/** Statistics and hint bits as autovacuum would leave them, and nothing left to write when the clock runs. */
export async function settle(db: Database): Promise<void> {
  const client = await db.connect();
  try {
    await client.query("vacuum (analyze)");
    await client.query("checkpoint");
  } finally {
    await client.end();
  }
}
