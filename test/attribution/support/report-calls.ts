/** Calls made up for reports, written straight into the tables, and what may happen to them later. */
import type { Queryable } from "../../../src/db/database.js";
import { ids } from "../../support/world.js";

export type Random = () => number;

const OUTCOMES = ["matched", "overflow", "expired", "never_presented", "quarantined", "unattributable"];
const STATUSES = ["ringing", "in_progress", "completed", "busy", "no_answer", "failed", "canceled", "intercepted"];

export const pickOne = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;

const run = (db: Queryable, text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> =>
  db.query({ name: "", text }, values);

/** Names that are null, empty and look like the names of others. */
const SOURCES = [null, "", "google", "bing", "null"];
const PAGES = [
  null,
  "https://a.example/",
  "https://a.example/?gclid=1",
  "https://a.example/#top",
  "https://b.example/x?y#z",
];

function madeUp(random: Random) {
  const attribution = pickOne(random, OUTCOMES);
  return {
    attribution,
    presentation_id: attribution === "matched" ? ids.next("prs") : null,
    confidence: attribution === "matched" && random() < 0.8 ? random() : null,
    landing_page: pickOne(random, PAGES),
    channel: pickOne(random, [null, "paid_search", "direct"]),
    source: pickOne(random, SOURCES),
    medium: pickOne(random, [null, "cpc"]),
    campaign: pickOne(random, [null, "spring", "autumn"]),
  };
}

export interface NewCalls {
  readonly accounts: readonly (string | null)[];
  readonly times: readonly number[];
}

/** One call at each of the times, in one statement. */
export async function addCalls(db: Queryable, random: Random, { accounts, times }: NewCalls): Promise<void> {
  const calls = times.map((at) => ({
    id: ids.next("call"),
    account_id: pickOne(random, accounts),
    pool_id: pickOne(random, [null, "pool_a", "pool_b"]),
    received_at: new Date(at).toISOString(),
    ingress: pickOne(random, ["sip", "twilio"]),
    promo_number: pickOne(random, ["+18885550001", "+18885550002"]),
    disposition: pickOne(random, ["routed", "routed", "intercepted", "unknown_number", "rejected"]),
    status: pickOne(random, STATUSES),
    answered_at: random() < 0.5 ? new Date(at + 5_000).toISOString() : null,
    talk_ms: random() < 0.5 ? Math.floor(random() * 100_000) : null,
    ...madeUp(random),
  }));
  await run(
    db,
    `insert into call (id, account_id, pool_id, received_at, ingress, ingress_call_id, promo_number, disposition, status, progress, answered_at, talk_ms,
       attribution, presentation_id, confidence, landing_page, channel, source, medium, campaign, updated_at)
     select id, account_id, pool_id, received_at, ingress, id, promo_number, disposition, status, '{}', answered_at, talk_ms, attribution, presentation_id,
       confidence, landing_page, channel, source, medium, campaign, now()
     from jsonb_to_recordset($1::jsonb) as c (id text, account_id text, pool_id text, received_at timestamptz, ingress text, promo_number text,
       disposition text, status text, answered_at timestamptz, talk_ms int, attribution text, presentation_id text, confidence real, landing_page text,
       channel text, source text, medium text, campaign text)`,
    [JSON.stringify(calls)],
  );
}

async function someCall(db: Queryable, random: Random): Promise<Record<string, unknown> | undefined> {
  const [call] = await run(
    db,
    `select id, received_at, account_id, revision from call order by md5(id || $1) limit 1 for update skip locked`,
    [String(random())],
  );
  return call;
}

/** A call that ends later, as events are folded. */
export async function endCall(db: Queryable, random: Random): Promise<void> {
  const call = await someCall(db, random);
  if (call === undefined) return;
  await run(
    db,
    `update call set status = 'completed', talk_ms = $2, confidence = case when attribution = 'matched' then $3::real end where id = $1`,
    [call["id"], Math.floor(random() * 100_000), random()],
  );
}

/** The call's own row says whom it belongs to. */
const NOTHING_BUT_THE_OUTCOME = {
  ...{ attribution: null, presentation_id: null, confidence: null, landing_page: null },
  ...{ channel: null, source: null, medium: null, campaign: null },
};

/** Later knowledge: a row with lineage, and the call's revision. */
export async function correctCall(db: Queryable, random: Random): Promise<void> {
  const call = await someCall(db, random);
  if (call === undefined) return;
  const revision = Number(call["revision"]) + 1;
  const [last] = await run(db, `select id from call_correction where call_id = $1 and revision = $2`, [
    call["id"],
    revision - 1,
  ]);
  const row = pickOne(random, [madeUp(random), NOTHING_BUT_THE_OUTCOME]);
  await run(
    db,
    `insert into call_correction (id, call_id, received_at, account_id, revision, corrects_id, kind, actor, reason, attribution_corrected, attribution, presentation_id, confidence,
       landing_page, channel, source, medium, campaign, conversion, revenue)
     values ($1, $2, $3, $4, $5, $6, 'correction', 'test', 'test', $7::text is not null, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
    [
      ids.next("call"),
      call["id"],
      new Date(call["received_at"] as number).toISOString(),
      call["account_id"],
      revision,
      last?.["id"] ?? call["id"],
      row.attribution,
      row.presentation_id,
      row.confidence,
      row.landing_page,
      row.channel,
      row.source,
      row.medium,
      row.campaign,
      pickOne(random, [null, true, false]),
      pickOne(random, [null, 12.5, 0.0001, 1_000_000.3333]),
    ],
  );
  await run(db, `update call set revision = $2 where id = $1`, [call["id"], revision]);
}

/** Empties what a page says of a person, in corrections alone. */
export async function eraseCorrections(db: Queryable): Promise<void> {
  await run(db, `select set_config('ringmatch.erasing', 'on', true)`);
  await run(
    db,
    `update call_correction set landing_page = null where id in (select id from call_correction order by md5(id || now()::text) limit 3)`,
  );
}

export async function removeCall(db: Queryable, random: Random): Promise<void> {
  const call = await someCall(db, random);
  if (call !== undefined) await run(db, `delete from call where id = $1`, [call["id"]]);
}
