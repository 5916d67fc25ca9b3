/**
 * Credentials of carriers, per account and carrier, and the platform's own (account null). Stored sealed; opened only to verify a signature.
 * A PUT for the same account and carrier keeps its credential id.
 */
import { sql, type Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { CredentialId, IdSource } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";

export const CARRIERS = ["twilio", "telnyx", "signalwire", "plivo", "vonage", "bandwidth", "sinch"] as const;
export type Carrier = (typeof CARRIERS)[number];

export type InterceptMode = "reject" | "announce";

export interface CarrierCredential {
  readonly id: CredentialId;
  readonly carrier: Carrier;
  readonly accountId: string | null;
  /** Names and values as the carrier calls them, e.g. `{ auth_tokens: ["…"] }`. Never logged. */
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly intercept: InterceptMode;
}

interface Row {
  id: CredentialId;
  carrier: Carrier;
  accountId: string | null;
  sealed: Buffer;
  intercept: InterceptMode;
}

const COLUMNS = `id, carrier, account_id as "accountId", secrets_enc as sealed, intercept`;

const UPSERT = sql(
  "credential_upsert",
  `insert into carrier_credential (id, carrier, account_id, secrets_enc, intercept) values ($1, $2, $3, $4, $5)
   on conflict (carrier, account_id) do update set secrets_enc = excluded.secrets_enc, intercept = excluded.intercept, updated_at = now()
   returning id`,
);
const SELECT_FOR = sql(
  "credential_select_for",
  `select ${COLUMNS} from carrier_credential where carrier = $1 and account_id is not distinct from $2`,
);
const SELECT_ONE = sql("credential_select_one", `select ${COLUMNS} from carrier_credential where id = $1`);
const SELECT_ALL_OF = sql(
  "credential_select_all_of",
  `select ${COLUMNS} from carrier_credential where carrier = $1 and ($2::text is null or account_id = $2) order by id`,
);
// Every branch is one probe of an index.
export const SELECT_OF_NUMBER = sql(
  "credential_select_of_number",
  `with number as (
     select n.credential_id, coalesce(n.host_account_id, n.account_id) as host from (values (1)) as one left join promo_number n on n.e164 = $2
   ), found as (
     select 1 as place, c.* from number n join carrier_credential c on c.id = n.credential_id and c.carrier = $1
     union all
     select 2, c.* from number n join carrier_credential c on n.credential_id is null and c.carrier = $1 and c.account_id = n.host
     union all
     select 3, c.* from number n join carrier_credential c on n.credential_id is null and c.carrier = $1 and c.account_id is null
   )
   select ${COLUMNS} from found order by place limit 1`,
);
const SELECT_ALL = sql(
  "credential_select_all",
  `select ${COLUMNS} from carrier_credential where id > $1 order by id limit $2`,
);
const SELECT_CARRIERS = sql(
  "credential_select_carriers",
  `select id, carrier from carrier_credential where id = any ($1)`,
);

/** @returns the credential's id, the same as before for the same carrier and account */
export async function putCredential(
  deps: { db: Queryable; ids: IdSource; secrets: Secrets },
  input: {
    carrier: Carrier;
    accountId: string | null;
    secrets: Readonly<Record<string, unknown>>;
    intercept: InterceptMode;
  },
): Promise<CredentialId> {
  const sealed = deps.secrets.seal(JSON.stringify(input.secrets));
  const [row] = await deps.db.query<{ id: CredentialId }>(UPSERT, [
    deps.ids.next("crd"),
    input.carrier,
    input.accountId,
    sealed,
    input.intercept,
  ]);
  return (row as { id: CredentialId }).id;
}

/**
 * The credential that may speak for a number: the one it names; else its host account's (the account it was hosted under when it left it), or its owner's
 * while it never left; else the platform's, which also speaks for numbers that are none of ours. Null when there is none.
 */
export async function credentialOfNumber(
  deps: { db: Queryable; secrets: Secrets },
  input: { carrier: Carrier; e164: string },
): Promise<CarrierCredential | null> {
  const [row] = await deps.db.query<Row>(SELECT_OF_NUMBER, [input.carrier, input.e164]);
  return row === undefined ? null : opened(deps.secrets, row);
}

/** Credentials still sealed, for keeping them in memory. */
export interface SealedCredential {
  readonly id: CredentialId;
  readonly carrier: Carrier;
  readonly accountId: string | null;
  open(): CarrierCredential;
}

/** In the order of their ids. @param after the last id of the page before, "" for the first */
export async function pageOfCredentials(
  deps: { db: Queryable; secrets: Secrets },
  page: { after: string; limit: number },
): Promise<SealedCredential[]> {
  const rows = await deps.db.query<Row>(SELECT_ALL, [page.after, page.limit]);
  return rows.map((row) => {
    const { id, carrier, accountId } = row;
    return { id, carrier, accountId, open: () => opened(deps.secrets, row) };
  });
}

/** The account's own, or, for null, the platform's. */
export async function findCredential(
  deps: { db: Queryable; secrets: Secrets },
  input: { carrier: Carrier; accountId: string | null },
): Promise<CarrierCredential | null> {
  const [row] = await deps.db.query<Row>(SELECT_FOR, [input.carrier, input.accountId]);
  return row === undefined ? null : opened(deps.secrets, row);
}

/** @throws AppError("not_found") */
export async function getCredential(deps: { db: Queryable; secrets: Secrets }, id: string): Promise<CarrierCredential> {
  const [row] = await deps.db.query<Row>(SELECT_ONE, [id]);
  if (row === undefined) throw new AppError("not_found", "There is no such carrier credential.");
  return opened(deps.secrets, row);
}

/** @param accountId null: all of them, the platform's included */
export async function listCredentials(
  deps: { db: Queryable; secrets: Secrets },
  input: { carrier: Carrier; accountId: string | null },
): Promise<CarrierCredential[]> {
  const rows = await deps.db.query<Row>(SELECT_ALL_OF, [input.carrier, input.accountId]);
  return rows.map((row) => opened(deps.secrets, row));
}

/** @returns for each id that exists its carrier */
export async function carriersOfCredentials(db: Queryable, ids: readonly string[]): Promise<Map<string, Carrier>> {
  const rows = await db.query<{ id: string; carrier: Carrier }>(SELECT_CARRIERS, [ids]);
  return new Map(rows.map(({ id, carrier }) => [id, carrier]));
}

function opened(secrets: Secrets, row: Row): CarrierCredential {
  const { id, carrier, accountId, intercept } = row;
  return {
    id,
    carrier,
    accountId,
    intercept,
    secrets: JSON.parse(secrets.open(row.sealed)) as Record<string, unknown>,
  };
}
