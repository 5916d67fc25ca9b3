/**
 * Numbers that their carrier would take back because nobody calls them. Carriers say after how many days without a call; what they say is a setting of
 * the platform, off until somebody fills it in. Here it only warns: nothing is called or released because of it.
 */
import { readSetting, writeSetting } from "../account/settings.store.js";
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { type NumberFilter, NUMBER_COLUMNS, type PromoNumber } from "./numbers.store.js";

export interface IdleReclaimSettings {
  /** By carrier: days without a call after which it takes a number back. */
  readonly carriers: Readonly<Record<string, number>>;
  /** How long before that a number is listed. */
  readonly warnBeforeDays: number;
}

export interface IdleNumber extends PromoNumber {
  /** Null: nobody ever called it here. */
  readonly lastCallAt: Instant | null;
  /** Its last call, or when it came to us. */
  readonly idleSince: Instant;
  readonly reclaimAt: Instant;
}

const SETTING = "idle_reclaim";
export const defaultIdleReclaim: IdleReclaimSettings = { carriers: {}, warnBeforeDays: 14 };

export async function readIdleReclaim(db: Queryable): Promise<IdleReclaimSettings> {
  return { ...defaultIdleReclaim, ...(await readSetting<IdleReclaimSettings>(db, SETTING)) };
}

export async function writeIdleReclaim(db: Queryable, settings: IdleReclaimSettings): Promise<void> {
  await writeSetting(db, SETTING, settings);
}

const IDLE = `promo_number n
   join unnest($1::text[], $2::float8[]) as r (carrier, days) on r.carrier = n.carrier
   cross join lateral (select max(c.received_at) as last_call_at from call c where c.promo_number = n.e164) l
   cross join lateral (select greatest(n.created_at, l.last_call_at) as since) i
   cross join lateral (select i.since + make_interval(secs => r.days * 86400) as reclaim_at) d
   where n.state <> 'retired' and d.reclaim_at <= now() + make_interval(secs => $3::float8 * 86400)`;
const SELECT_PAGE = sql(
  "idle_select_page",
  `select ${NUMBER_COLUMNS}, l.last_call_at as "lastCallAt", i.since as "idleSince", d.reclaim_at as "reclaimAt" from ${IDLE}
     and n.e164 > $4 and ($5::text is null or n.account_id = $5) and ($6::text is null or n.state = $6)
     and ($7::text is null or n.pool_id = $7) and ($8::text is null or n.number_type = $8) and ($9::text is null or n.npa = $9)
     and (not $11::boolean or n.retirement_proposed_at is not null)
   order by n.e164 limit $10`,
);
const COUNT = sql(
  "idle_count",
  `select n.carrier, count(*) as numbers, min(d.reclaim_at) as "firstReclaimAt" from ${IDLE} group by n.carrier order by n.carrier`,
);

/** Ascending by number. */
export async function listIdleNumbers(db: Queryable, page: NumberFilter): Promise<IdleNumber[]> {
  return db.query<IdleNumber>(SELECT_PAGE, [
    ...valuesOf(await readIdleReclaim(db)),
    page.after,
    page.accountId,
    page.state,
    page.poolId,
    page.type,
    page.npa,
    page.limit,
    page.isRetirementProposed ?? false,
  ]);
}

export interface IdleCount {
  readonly carrier: string;
  readonly numbers: number;
  readonly firstReclaimAt: Instant;
}

export async function countIdleNumbers(db: Queryable): Promise<IdleCount[]> {
  const settings = await readIdleReclaim(db);
  return Object.keys(settings.carriers).length === 0 ? [] : db.query<IdleCount>(COUNT, valuesOf(settings));
}

function valuesOf({ carriers, warnBeforeDays }: IdleReclaimSettings): unknown[] {
  return [Object.keys(carriers), Object.values(carriers), warnBeforeDays];
}
