/** Calls in bulk for bench/report.ts: ninety days of two accounts, forty sources with campaigns, written into partitions before those have indexes. */
import type { Database } from "../../src/db/database.js";

const DAY_MS = 86_400_000;
const DAYS = 90;
/** Whole months, so that no partition of the service's own is in the way, and all of it is over. */
const MONTHS = ["2025-01", "2025-02", "2025-03"] as const;
const START = Date.parse("2025-01-01T00:00:00Z");
export const RANGE = { from: START, to: START + DAYS * DAY_MS };
/** The account that asks; every second call is its. */
export const ACCOUNT = "acc_0";
const WRITERS = 2;

/**
 * `$1` calls in all, those of the month beginning at `$2`. Sources are as unequal as in life: the square of an even draw makes some frequent and most
 * rare. Draws come from the call's number, so that two databases differ in size alone.
 */
const INSERT = `insert into %table (id, account_id, pool_id, number_id, ownership_epoch, received_at, ingress, ingress_call_id, promo_number, caller_last4,
    disposition, status, destination_number, progress, answered_at, ended_at, talk_ms, attribution, presentation_id, visitor_id, presented_at, matched_seq,
    confidence, touch, custom_data, late, updated_at, revision, landing_page, channel, source, medium, campaign)
  select 'call_' || i, 'acc_' || i % 2, 'pool_' || i % 4, i % 40, 1, at, case when i % 3 = 0 then 'twilio' else 'sip' end, 'ingress-' || i,
    '+1888' || 2000000 + i % 40, '0123', 'routed', case when h1 % 10 < 7 then 'completed' when h1 % 10 < 9 then 'no_answer' else 'busy' end,
    '+18005550100', '{"end": {"at": 0}, "attempts": [{"target": "sip:business@example.com"}]}', case when h1 % 10 < 7 then at + interval '8 seconds' end,
    at + interval '3 minutes', case when h1 % 10 < 7 then h2 % 600000 end,
    case when h2 % 10 < 8 then 'matched' when h2 % 10 = 8 then 'expired' else 'overflow' end,
    case when h2 % 10 < 8 then 'prs_' || i end, case when h2 % 10 < 8 then 'vis_' || i end, case when h2 % 10 < 8 then at - interval '9 minutes' end, i,
    case when h2 % 10 < 8 then 0.5 + (h3 % 1000) / 2000.0 end, '{"utm_source": "google", "gclid": "a click id"}', '{}', false, at + interval '3 minutes',
    (h4 % 100 < 8)::int, 'https://shop.example/page-' || h3 % 20 || '?gclid=' || i, case when n % 3 = 0 then 'organic' else 'paid_search' end,
    'source-' || n, case when n % 3 = 0 then 'organic' else 'cpc' end, case when n % 3 = 0 then null else 'campaign-' || n % 10 end
  from generate_series(0, $1::bigint - 1) i
    cross join lateral (select $3::timestamptz + (i / $1::float8 * ${DAYS}) * interval '24 hours' as at) t
    cross join lateral (select hashint8(i) & 1073741823 as h1, hashint8(i + 100000000) & 1073741823 as h2, hashint8(i + 200000000) & 1073741823 as h3,
      hashint8(i + 300000000) & 1073741823 as h4, hashint8(i + 400000000) & 1073741823 as h5) h
    cross join lateral (select floor(power(h5 / 1073741824.0, 2) * 40)::int as n) s
  where i >= ceil(extract(epoch from $2::timestamptz - $3::timestamptz) / 86400 / ${DAYS} * $1)
    and i < ceil(extract(epoch from $2::timestamptz + interval '1 month' - $3::timestamptz) / 86400 / ${DAYS} * $1)`;
const CORRECT = `insert into call_correction (id, call_id, received_at, account_id, revision, corrects_id, kind, actor, reason, attribution_corrected, attribution, presentation_id,
    visitor_id, presented_at, confidence, touch, custom_data, landing_page, channel, source, medium, campaign, conversion, revenue)
  select id || 'r', id, received_at, account_id, 1, id, 'signal', 'bench', 'sale', true, attribution, presentation_id, visitor_id, presented_at, confidence, touch,
    custom_data, landing_page, channel, source, medium, campaign, true, (hashtext(id) & 65535) / 100.0
  from call where revision = 1`;

export async function loadCalls(db: Database, calls: number): Promise<void> {
  const months = [...MONTHS];
  const writer = async (): Promise<void> => {
    for (let month = months.shift(); month !== undefined; month = months.shift()) await loadMonth(db, month, calls);
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
  await onOwnConnection(db, async (run) => {
    await run(
      `insert into account (id, name, tag_key) values ('acc_0', 'first', 'tag_0'), ('acc_1', 'second', 'tag_1')`,
    );
    await run(CORRECT);
    await run("vacuum (analyze) call, call_correction");
    // What the trigger would have written, had the calls come one by one.
    await run(
      `insert into report_mark (account_id, quarter)
       select 'acc_' || a, q from generate_series(0, 1) a, generate_series($1::timestamptz, $2::timestamptz - interval '15 minutes', interval '15 minutes') q`,
      [new Date(RANGE.from), new Date(RANGE.to)],
    );
  });
}

/** A table that is attached when it is full: indexes are sorted once, and no trigger fires. */
async function loadMonth(db: Database, month: string, calls: number): Promise<void> {
  const table = `call_${month.replace("-", "")}`;
  const start = `${month}-01T00:00:00Z`;
  await onOwnConnection(db, async (run) => {
    await run(`create table ${table} (like call including defaults including constraints)`);
    await run(INSERT.replace("%table", table), [calls, start, new Date(START)]);
  });
  await onOwnConnection(db, async (run) => {
    await run(
      `alter table call attach partition ${table} for values from ('${start}') to ('${start}'::timestamptz at time zone 'UTC' + interval '1 month')`,
    );
  });
}

type Run = (text: string, values?: unknown[]) => Promise<unknown>;

/** The service's own let no statement take as long. */
async function onOwnConnection(db: Database, work: (run: Run) => Promise<void>): Promise<void> {
  const client = await db.connect();
  try {
    await client.query("set synchronous_commit = off; set maintenance_work_mem = '256MB'; set time zone 'UTC'");
    await work((text, values = []) => client.query(text, values));
  } finally {
    await client.end();
  }
}
