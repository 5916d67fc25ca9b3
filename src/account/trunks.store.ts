/** SIP trunks: which sources may send calls, and how calls leave towards numbers. */
import { sql, type Queryable } from "../db/database.js";

export type TrunkTransport = "udp" | "tcp" | "tls";
export type TrunkMode = "b2bua" | "proxy" | "redirect";

export interface Trunk {
  readonly name: string;
  readonly sourceCidrs: readonly string[];
  readonly transport: TrunkTransport;
  /** ISO 3166; reads national numbers that arrive on this trunk. */
  readonly defaultCountry: string;
  readonly maxCps: number | null;
  readonly maxCalls: number | null;
  /** Where calls to a destination without a SIP URI leave: `sip:host[:port]`. */
  readonly outboundUri: string | null;
  readonly mode: TrunkMode;
  /** Whether P-Asserted-Identity, verstat, Diversion and History-Info of this trunk are believed. */
  readonly trustIdentity: boolean;
}

const COLUMNS = `name, source_cidrs as "sourceCidrs", transport, default_country as "defaultCountry", max_cps as "maxCps",
  max_calls as "maxCalls", outbound_uri as "outboundUri", mode, trust_identity as "trustIdentity"`;

const SELECT_ALL = sql("trunk_select_all", `select ${COLUMNS} from trunk order by name`);
const UPSERT = sql(
  "trunk_upsert",
  `insert into trunk (name, source_cidrs, transport, default_country, max_cps, max_calls, outbound_uri, mode, trust_identity)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
   on conflict (name) do update set source_cidrs = excluded.source_cidrs, transport = excluded.transport,
     default_country = excluded.default_country, max_cps = excluded.max_cps, max_calls = excluded.max_calls,
     outbound_uri = excluded.outbound_uri, mode = excluded.mode, trust_identity = excluded.trust_identity, updated_at = now()
   returning ${COLUMNS}`,
);
const INSERT_MISSING = sql(
  "trunk_insert_missing",
  `insert into trunk (name, source_cidrs) values ($1, $2) on conflict (name) do nothing`,
);

export async function listTrunks(db: Queryable): Promise<Trunk[]> {
  return db.query<Trunk>(SELECT_ALL);
}

export async function putTrunk(db: Queryable, trunk: Trunk): Promise<Trunk> {
  const [row] = await db.query<Trunk>(UPSERT, [
    trunk.name,
    trunk.sourceCidrs,
    trunk.transport,
    trunk.defaultCountry,
    trunk.maxCps,
    trunk.maxCalls,
    trunk.outboundUri,
    trunk.mode,
    trunk.trustIdentity,
  ]);
  return row as Trunk;
}

/** Embedded mode starts with a trunk for the machine itself; an operator's change to it is kept. */
export async function ensureTrunk(
  db: Queryable,
  input: { name: string; sourceCidrs: readonly string[] },
): Promise<void> {
  await db.query(INSERT_MISSING, [input.name, input.sourceCidrs]);
}
