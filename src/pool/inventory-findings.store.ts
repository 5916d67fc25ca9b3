/**
 * What differs between a carrier's list of our numbers and our own. A difference that is still there is seen again, not stored twice; one that is gone is
 * resolved. Written by reconcile-inventory.ts; nothing here changes a number.
 */
import { sql, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";

export const FINDING_KINDS = [
  "unknown_here",
  "gone_there",
  "retired_there",
  "port_arrived",
  "webhooks_repaired",
  "webhooks_wrong",
] as const;
/**
 * unknown_here: the carrier bills us for a number we do not have · gone_there: we have a number that the carrier does not · retired_there: retired here,
 * still billed there · port_arrived: a number being ported in is at the carrier · webhooks_repaired: its calls went elsewhere, put right ·
 * webhooks_wrong: its calls go elsewhere, and stay so.
 */
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly id: string;
  readonly kind: FindingKind;
  readonly carrier: string;
  readonly credentialId: string;
  readonly number: string;
  readonly carrierRef: string | null;
  readonly detail: string;
  readonly firstSeenAt: Instant;
  readonly lastSeenAt: Instant;
  readonly resolvedAt: Instant | null;
}

export interface NewFinding {
  readonly kind: FindingKind;
  readonly number: string;
  readonly carrierRef: string | null;
  readonly detail: string;
}

const COLUMNS = `f.id, f.kind, f.carrier, f.credential_id as "credentialId", f.number, f.carrier_ref as "carrierRef", f.detail,
  f.first_seen_at as "firstSeenAt", f.last_seen_at as "lastSeenAt", f.resolved_at as "resolvedAt"`;

const UPSERT = sql(
  "finding_upsert",
  `insert into inventory_finding (id, kind, carrier, credential_id, number, carrier_ref, detail, first_seen_at, last_seen_at, resolved_at)
   select id, kind, $1, $2, number, ref, detail, now(), now(), case kind when 'webhooks_repaired' then now() end
   from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as f (id, kind, number, ref, detail)
   on conflict (credential_id, kind, number) where resolved_at is null
     do update set last_seen_at = now(), carrier_ref = excluded.carrier_ref, detail = excluded.detail
   returning id, number, kind, first_seen_at = last_seen_at as "isNew"`,
);
const RESOLVE_OTHERS = sql(
  "finding_resolve_others",
  `update inventory_finding f set resolved_at = now()
   where f.credential_id = $1 and f.resolved_at is null and f.last_seen_at < $2
   returning id`,
);
const RESOLVE_NUMBER = sql(
  "finding_resolve_number",
  `update inventory_finding f set resolved_at = now() where f.number = $1 and f.resolved_at is null and f.kind = any ($2) returning id`,
);
const SELECT_PAGE = sql(
  "finding_select_page",
  `select ${COLUMNS} from inventory_finding f
   where ($1 = '' or f.id < $1) and ($2::text is null or f.kind = $2) and (not $3::boolean or f.resolved_at is null) and ($4::text is null or f.number = $4)
   order by f.id desc limit $5`,
);

/** @returns those that were not known before */
export async function putFindings(
  deps: { db: Queryable; ids: IdSource },
  input: { carrier: string; credentialId: string; findings: readonly NewFinding[] },
): Promise<readonly NewFinding[]> {
  const { carrier, credentialId, findings } = input;
  if (findings.length === 0) return [];
  const rows = await deps.db.query<{ number: string; kind: string; isNew: boolean }>(UPSERT, [
    carrier,
    credentialId,
    findings.map(() => deps.ids.next("fnd")),
    findings.map(({ kind }) => kind),
    findings.map(({ number }) => number),
    findings.map(({ carrierRef }) => carrierRef),
    findings.map(({ detail }) => detail),
  ]);
  const fresh = new Set(rows.filter(({ isNew }) => isNew).map(({ number, kind }) => `${kind} ${number}`));
  return findings.filter(({ number, kind }) => fresh.has(`${kind} ${number}`));
}

/** After a complete look: what was not seen since `since` (the database's own text of a time) is not there any more. */
export async function resolveUnseen(db: Queryable, input: { credentialId: string; since: string }): Promise<number> {
  return (await db.query(RESOLVE_OTHERS, [input.credentialId, input.since])).length;
}

/** A person acted upon it. */
export async function resolveFindings(
  db: Queryable,
  input: { number: string; kinds: readonly FindingKind[] },
): Promise<void> {
  await db.query(RESOLVE_NUMBER, [input.number, input.kinds]);
}

/** Newest first. */
export async function listFindings(
  db: Queryable,
  page: { before: string; kind: FindingKind | null; onlyOpen: boolean; number: string | null; limit: number },
): Promise<Finding[]> {
  return db.query<Finding>(SELECT_PAGE, [page.before, page.kind, page.onlyOpen, page.number, page.limit]);
}
