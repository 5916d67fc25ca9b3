/** What the source report says, from the calls as they stand now: the same range, account and grouping, by the database alone. */
import type { Database } from "../../src/db/database.js";
import { ACCOUNT, RANGE } from "./load-calls.js";

const RAW = `select source, medium, campaign, count(*)::float8 as calls, count(*) filter (where disposition = 'routed')::float8 as routed,
    count(answered_at)::float8 as answered,
    count(*) filter (where disposition = 'routed' and answered_at is null
      and status in ('completed', 'busy', 'no_answer', 'failed', 'canceled'))::float8 as missed,
    count(*) filter (where status = 'completed')::float8 as completed, count(*) filter (where status = 'busy')::float8 as busy,
    count(*) filter (where status = 'no_answer')::float8 as no_answer, count(*) filter (where status = 'failed')::float8 as failed,
    count(*) filter (where status = 'canceled')::float8 as canceled, count(*) filter (where status = 'intercepted')::float8 as intercepted,
    coalesce(sum(talk_ms), 0)::float8 as talk_ms, count(*) filter (where attribution = 'matched')::float8 as matched,
    count(*) filter (where attribution = 'overflow')::float8 as overflow, count(*) filter (where attribution = 'expired')::float8 as expired,
    count(*) filter (where attribution = 'never_presented')::float8 as never_presented,
    count(*) filter (where attribution = 'quarantined')::float8 as quarantined,
    count(*) filter (where attribution = 'unattributable')::float8 as unattributable,
    count(*) filter (where disposition = 'routed' and attribution <> 'matched')::float8 as unattributed,
    count(confidence) filter (where attribution = 'matched')::float8 as judged,
    coalesce(sum(round(confidence * 1e6)::bigint) filter (where attribution = 'matched'), 0)::float8 as confidence_ppm,
    count(*) filter (where conversion)::float8 as conversions, coalesce(sum(revenue), 0)::float8 as revenue
  from call_record
  where account_id = $1 and received_at >= $2 and received_at < $3
  group by source, medium, campaign`;

type Raw = Record<"source" | "medium" | "campaign", string | null> & Record<string, unknown>;

export async function rawReport(db: Database): Promise<Raw[]> {
  // Of its own, for the service's connections let no statement take as long as this may.
  const client = await db.connect();
  try {
    const { rows } = await client.query<Raw>(RAW, [ACCOUNT, new Date(RANGE.from), new Date(RANGE.to)]);
    return rows;
  } finally {
    await client.end();
  }
}
