/** Whom events are told: an account's endpoints, and the platform's own (account null), which get every account's events. Secrets are stored sealed. */
import { sql, timestamp, type Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import type { IdSource } from "../../kernel/ids.js";
import type { Random } from "../../kernel/random.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { ConversionKind, ShownSettings } from "./conversion-settings.js";
import type { OutgoingEvent } from "./outgoing-events.js";

export const BODY_FORMATS = ["standard", "cloudevents"] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];
/** asked: by its owner. gone: it answered 410. failing: nothing but failures for days. */
export const DISABLED_REASONS = ["asked", "gone", "failing"] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

export const CONCURRENCY_DEFAULT = 4;
export const CONCURRENCY_MAX = 5;
/** Each event is made into a delivery for each of them. */
export const ENDPOINTS_AN_ACCOUNT_MAX = 20;
/** Long enough to bring a new secret to every receiver. */
export const FORMER_SECRET_S = 24 * 60 * 60;
/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = 32;

export interface Notice {
  readonly event: "endpoint.disabled" | "endpoint.enabled";
  /** ISO 8601. */
  readonly at: string;
  readonly reason: DisabledReason | null;
}

export interface WebhookEndpoint {
  readonly id: string;
  readonly kind: string;
  readonly accountId: string | null;
  /** Null: a network's, reached where the operator's configuration says. */
  readonly url: string | null;
  readonly events: readonly OutgoingEvent[];
  readonly description: string | null;
  readonly format: BodyFormat;
  readonly includeCaller: boolean;
  readonly maxConcurrency: number;
  /** Of a network, secrets masked; null: a webhook. */
  readonly settings: ShownSettings | null;
  readonly enabled: boolean;
  readonly disabledAt: Instant | null;
  readonly disabledReason: DisabledReason | null;
  readonly notices: readonly Notice[];
  /** Since when, and how often, it has done nothing but fail. */
  readonly failingSince: Instant | null;
  readonly failures: number;
  readonly pausedUntil: Instant | null;
  readonly formerSecretUntil: Instant | null;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** As a delivery needs it. */
export interface LockedEndpoint extends WebhookEndpoint {
  readonly now: Instant;
  /** What signs a webhook; of a network, all of its settings. */
  readonly secretEnc: Buffer;
  /** Null when it does not sign any more. */
  readonly formerSecretEnc: Buffer | null;
}

export interface EndpointSettings {
  readonly url: string | null;
  readonly events: readonly OutgoingEvent[];
  readonly description: string | null;
  readonly format: BodyFormat;
  readonly includeCaller: boolean;
  readonly maxConcurrency: number;
}

export const ENDPOINT_COLUMNS = `e.id, e.kind, e.account_id as "accountId", e.url, e.events, e.description, e.format, e.include_caller as "includeCaller",
  e.max_concurrency as "maxConcurrency", e.settings, e.enabled, e.disabled_at as "disabledAt", e.disabled_reason as "disabledReason", e.notices,
  e.failing_since as "failingSince", e.failures, e.paused_until as "pausedUntil", e.former_secret_until as "formerSecretUntil",
  e.created_at as "createdAt", e.updated_at as "updatedAt"`;
/** A notice is appended, and the oldest go. */
const WITH_NOTICE = `(select jsonb_agg(n order by place) from (
    select n, place from jsonb_array_elements(e.notices || jsonb_build_object('event', $3::text, 'at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'reason', $2::text)) with ordinality as all_notices (n, place) order by place desc limit 20) kept)`;

const INSERT = sql(
  "webhook_endpoint_insert",
  `insert into webhook_endpoint as e (id, account_id, url, events, description, format, include_caller, max_concurrency, secret_enc, kind, settings)
   select $1, $2, $3, $4, $5, $6, $7, $8, $9, $11, $12
   where (select count(*) from webhook_endpoint o where o.account_id is not distinct from $2 and o.deleted_at is null) < $10
   returning ${ENDPOINT_COLUMNS}`,
);
const ONE = `select ${ENDPOINT_COLUMNS} from webhook_endpoint e where e.id = $1 and e.deleted_at is null and ($2::text is null or e.account_id = $2)`;
const SELECT_ONE = sql("webhook_endpoint_select_one", ONE);
// Two changes at once must not undo each other: what one does not name stays as the other left it.
const SELECT_TO_CHANGE = sql("webhook_endpoint_select_to_change", `${ONE} for no key update`);
// Before they are counted: one is made at a time, of an account or of the platform.
const LOCK_COUNT = sql(
  "webhook_endpoint_lock_count",
  `select pg_advisory_xact_lock(hashtextextended('webhook endpoints of ' || coalesce($1, 'the platform'), 0))`,
);
const SELECT_PAGE = sql(
  "webhook_endpoint_select_page",
  `select ${ENDPOINT_COLUMNS} from webhook_endpoint e where e.id > $2 and e.deleted_at is null and ($1::text is null or e.account_id = $1)
   order by e.id limit $3`,
);
const SELECT_LISTENING = sql(
  "webhook_endpoint_select_listening",
  `select ${ENDPOINT_COLUMNS} from webhook_endpoint e where e.enabled and (e.account_id is null or e.account_id = any ($1)) order by e.id`,
);
const LOCK = sql(
  "webhook_endpoint_lock",
  `select ${ENDPOINT_COLUMNS}, now() as now, e.secret_enc as "secretEnc",
     case when e.former_secret_until > now() then e.former_secret_enc end as "formerSecretEnc"
   from webhook_endpoint e where e.id = $1 and e.enabled for no key update`,
);
const UPDATE = sql(
  "webhook_endpoint_update",
  `update webhook_endpoint e set url = $2, events = $3, description = $4, format = $5, include_caller = $6, max_concurrency = $7,
     updated_at = now() where e.id = $1 returning ${ENDPOINT_COLUMNS}`,
);
const DISABLE = sql(
  "webhook_endpoint_disable",
  `update webhook_endpoint e set enabled = false, disabled_at = now(), disabled_reason = $2, paused_until = null, updated_at = now(),
     notices = ${WITH_NOTICE}
   where e.id = $1 and e.enabled returning ${ENDPOINT_COLUMNS}`,
);
// It begins anew: what it failed before is forgotten.
const ENABLE = sql(
  "webhook_endpoint_enable",
  `update webhook_endpoint e set enabled = true, disabled_at = null, disabled_reason = null, failing_since = null, failures = 0,
     paused_until = null, updated_at = now(), notices = ${WITH_NOTICE}
   where e.id = $1 and not e.enabled and e.deleted_at is null returning ${ENDPOINT_COLUMNS}`,
);
const ROTATE = sql(
  "webhook_endpoint_rotate",
  `update webhook_endpoint e set former_secret_enc = e.secret_enc, former_secret_until = now() + make_interval(secs => $3), secret_enc = $2,
     updated_at = now() where e.id = $1 returning ${ENDPOINT_COLUMNS}`,
);
const DELETE = sql(
  "webhook_endpoint_delete",
  `update webhook_endpoint e set enabled = false, disabled_at = coalesce(e.disabled_at, now()), disabled_reason = coalesce(e.disabled_reason, 'asked'),
     deleted_at = now(), secret_enc = '', former_secret_enc = null, former_secret_until = null where e.id = $1`,
);
const WRITE_HEALTH = sql(
  "webhook_endpoint_write_health",
  `update webhook_endpoint set failing_since = $2, failures = $3, paused_until = $4 where id = $1`,
);

export interface EndpointDeps {
  readonly db: Queryable;
  readonly ids: IdSource;
  readonly secrets: Secrets;
  readonly random: Pick<Random, "bytes">;
}

/** `whsec_` and base64, as Standard Webhooks spells secrets. */
function newSecret({ random }: Pick<EndpointDeps, "random">): string {
  return `whsec_${random.bytes(SECRET_BYTES).toString("base64")}`;
}

/** In a transaction that makes one: until it ends nobody else makes one for the same owner. @param accountId null: the platform */
export async function lockEndpointCount(tx: Queryable, accountId: string | null): Promise<void> {
  await tx.query(LOCK_COUNT, [accountId]);
}

/** @returns the endpoint and its secret, which is never shown again. @throws AppError("conflict") when the account has too many */
export async function createEndpoint(
  deps: EndpointDeps,
  input: { accountId: string | null; settings: EndpointSettings },
): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
  const secret = newSecret(deps);
  const secretEnc = deps.secrets.seal(secret);
  return { endpoint: await insertEndpoint(deps, { ...input, secretEnc, kind: "webhook", shown: null }), secret };
}

/** @throws AppError("conflict") when the account has too many */
export async function insertEndpoint(
  deps: EndpointDeps,
  input: {
    accountId: string | null;
    settings: EndpointSettings;
    secretEnc: Buffer;
    kind: "webhook" | ConversionKind;
    shown: ShownSettings | null;
  },
): Promise<WebhookEndpoint> {
  const { url, events, description, format, includeCaller, maxConcurrency } = input.settings;
  const [endpoint] = await deps.db.query<WebhookEndpoint>(INSERT, [
    ...[deps.ids.next("whk"), input.accountId, url, events, description, format, includeCaller, maxConcurrency],
    ...[input.secretEnc, ENDPOINTS_AN_ACCOUNT_MAX, input.kind],
    input.shown === null ? null : JSON.stringify(input.shown),
  ]);
  if (endpoint !== undefined) return endpoint;
  throw new AppError(
    "conflict",
    `There are ${ENDPOINTS_AN_ACCOUNT_MAX} webhook endpoints already; delete one, or give one more events.`,
  );
}

/** @param accountId null: any (keys of the platform). @throws AppError("not_found") */
export async function getEndpoint(
  db: Queryable,
  input: { id: string; accountId: string | null },
): Promise<WebhookEndpoint> {
  return firstOf(await db.query<WebhookEndpoint>(SELECT_ONE, [input.id, input.accountId]));
}

/** In a transaction: nobody else changes or deletes it until that ends. @throws AppError("not_found") */
export async function getEndpointToChange(
  tx: Queryable,
  input: { id: string; accountId: string | null },
): Promise<WebhookEndpoint> {
  return firstOf(await tx.query<WebhookEndpoint>(SELECT_TO_CHANGE, [input.id, input.accountId]));
}

/** Oldest first; `after` is the last id of the page before, or "". */
export async function listEndpoints(
  db: Queryable,
  page: { accountId: string | null; after: string; limit: number },
): Promise<WebhookEndpoint[]> {
  return db.query<WebhookEndpoint>(SELECT_PAGE, [page.accountId, page.after, page.limit]);
}

/** Those that are enabled, of these accounts and of the platform. */
export async function listListening(db: Queryable, accountIds: readonly string[]): Promise<WebhookEndpoint[]> {
  return db.query<WebhookEndpoint>(SELECT_LISTENING, [accountIds]);
}

/** Inside a transaction; whoever sends or notes what came of it holds it, one after the other. @returns null when it is not enabled */
export async function lockEndpoint(tx: Queryable, id: string): Promise<LockedEndpoint | null> {
  const [endpoint] = await tx.query<LockedEndpoint>(LOCK, [id]);
  return endpoint ?? null;
}

export async function updateEndpoint(db: Queryable, id: string, settings: EndpointSettings): Promise<WebhookEndpoint> {
  const { url, events, description, format, includeCaller, maxConcurrency } = settings;
  const values = [id, url, events, description, format, includeCaller, maxConcurrency];
  return firstOf(await db.query<WebhookEndpoint>(UPDATE, values));
}

/** What waits stays, and goes out when it is enabled again. @returns null when it was disabled already */
export async function disableEndpoint(
  db: Queryable,
  id: string,
  reason: DisabledReason,
): Promise<WebhookEndpoint | null> {
  const [endpoint] = await db.query<WebhookEndpoint>(DISABLE, [id, reason, "endpoint.disabled"]);
  return endpoint ?? null;
}

/** @returns null when it is enabled already */
export async function enableEndpoint(db: Queryable, id: string): Promise<WebhookEndpoint | null> {
  const [endpoint] = await db.query<WebhookEndpoint>(ENABLE, [id, null, "endpoint.enabled"]);
  return endpoint ?? null;
}

/** Both secrets sign for FORMER_SECRET_S; the one before the former does not any more. */
export async function rotateSecret(
  deps: Omit<EndpointDeps, "ids">,
  id: string,
): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
  const secret = newSecret(deps);
  const rows = await deps.db.query<WebhookEndpoint>(ROTATE, [id, deps.secrets.seal(secret), FORMER_SECRET_S]);
  return { endpoint: firstOf(rows), secret };
}

/** Nothing is told to it from now on; housekeeping removes what it was told. */
export async function deleteEndpoint(db: Queryable, id: string): Promise<void> {
  await db.query(DELETE, [id]);
}

export interface EndpointHealth {
  readonly failingSince: Instant | null;
  readonly failures: number;
  readonly pausedUntil: Instant | null;
}

export async function writeHealth(tx: Queryable, id: string, health: EndpointHealth): Promise<void> {
  await tx.query(WRITE_HEALTH, [id, timestamp(health.failingSince), health.failures, timestamp(health.pausedUntil)]);
}

function firstOf(rows: readonly WebhookEndpoint[]): WebhookEndpoint {
  const [endpoint] = rows;
  if (endpoint === undefined) throw new AppError("not_found", "There is no such webhook endpoint.");
  return endpoint;
}
