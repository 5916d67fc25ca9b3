/** Answers kept for a repeated POST with the same Idempotency-Key, a day long. The answer is sealed: it may hold a key that is shown once. */
import { sql, type Queryable } from "../db/database.js";
import type { Secrets } from "../kernel/secrets.js";

/** Who asked (the API key's id) and what they called the request. */
export interface IdempotencyKey {
  readonly scope: string;
  readonly key: string;
  /** SHA-256 of what was asked. */
  readonly requestHash: Buffer;
}

export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

export type Claim =
  /** This request is the first: it answers. */
  | { readonly kind: "claimed" }
  | { readonly kind: "answered"; readonly answer: KeptAnswer }
  | { readonly kind: "in_progress" }
  | { readonly kind: "mismatch" };

/** As long as a client may sensibly retry. */
const KEEP_S = 86_400;
/** No request takes as long: who claimed a key then and never answered is dead. */
const ABANDONED_AFTER_S = 120;

const CLAIM = sql(
  "idempotency_claim",
  `insert into idempotency_key as k (scope, idempotency_key, request_hash) values ($1, $2, $3)
   on conflict (scope, idempotency_key) do update
     set request_hash = excluded.request_hash, status = null, body = null, created_at = excluded.created_at
     where k.created_at < now() - make_interval(secs => $4)
       or k.status is null and k.created_at < now() - make_interval(secs => $5)
   returning 1 as claimed`,
);
const SELECT = sql(
  "idempotency_select",
  `select request_hash as "requestHash", status, body from idempotency_key where scope = $1 and idempotency_key = $2`,
);
const KEEP = sql(
  "idempotency_keep",
  `update idempotency_key set status = $4, body = $5
   where scope = $1 and idempotency_key = $2 and request_hash = $3 and status is null`,
);
const FREE = sql(
  "idempotency_free",
  `delete from idempotency_key where scope = $1 and idempotency_key = $2 and request_hash = $3 and status is null`,
);

export async function claimKey(deps: { db: Queryable; secrets: Secrets }, key: IdempotencyKey): Promise<Claim> {
  const claimed = await deps.db.query(CLAIM, [key.scope, key.key, key.requestHash, KEEP_S, ABANDONED_AFTER_S]);
  if (claimed.length > 0) return { kind: "claimed" };
  const [row] = await deps.db.query<{ requestHash: Buffer; status: number | null; body: string | null }>(SELECT, [
    key.scope,
    key.key,
  ]);
  // Freed since, by a failure of ours: whoever asks again may claim it.
  if (row === undefined) return { kind: "in_progress" };
  if (!row.requestHash.equals(key.requestHash)) return { kind: "mismatch" };
  if (row.status === null) return { kind: "in_progress" };
  const body = deps.secrets.open(Buffer.from(row.body ?? "", "base64"));
  return { kind: "answered", answer: { status: row.status, body } };
}

export async function keepAnswer(
  deps: { db: Queryable; secrets: Secrets },
  key: IdempotencyKey,
  answer: KeptAnswer,
): Promise<void> {
  const sealed = deps.secrets.seal(answer.body).toString("base64");
  await deps.db.query(KEEP, [key.scope, key.key, key.requestHash, answer.status, sealed]);
}

/** After a failure of ours: the same request may be tried again under the same key. */
export async function freeKey(db: Queryable, key: IdempotencyKey): Promise<void> {
  await db.query(FREE, [key.scope, key.key, key.requestHash]);
}
