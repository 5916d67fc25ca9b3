/** Endpoints that conversions are told to: stored beside the webhooks, with a network's settings instead of a URL and a signing secret. */
import { sql, type Queryable } from "../../db/database.js";
import { AppError } from "../../kernel/errors.js";
import { type ConversionKind, type ConversionSettings, maskSettings, sealSettings } from "./conversion-settings.js";
import {
  ENDPOINT_COLUMNS,
  type EndpointDeps,
  type EndpointSettings,
  insertEndpoint,
  type WebhookEndpoint,
} from "./webhook-endpoints.store.js";

const SET_NETWORK = sql(
  "webhook_endpoint_set_network",
  `update webhook_endpoint e set secret_enc = $2, settings = $3, updated_at = now() where e.id = $1 returning ${ENDPOINT_COLUMNS}`,
);
const SELECT_SECRET = sql(
  "webhook_endpoint_select_secret",
  `select e.secret_enc as "secretEnc" from webhook_endpoint e where e.id = $1 and e.deleted_at is null`,
);

/** @throws AppError("conflict") when the account has too many */
export async function createNetworkEndpoint(
  deps: EndpointDeps,
  input: { accountId: string; settings: EndpointSettings; kind: ConversionKind; network: ConversionSettings },
): Promise<WebhookEndpoint> {
  const { network, ...rest } = input;
  return insertEndpoint(deps, {
    ...rest,
    secretEnc: sealSettings(deps.secrets, network),
    shown: maskSettings(network),
  });
}

/** A network's settings, all anew. */
export async function setNetwork(
  deps: Pick<EndpointDeps, "db" | "secrets">,
  id: string,
  network: ConversionSettings,
): Promise<WebhookEndpoint> {
  const values = [id, sealSettings(deps.secrets, network), JSON.stringify(maskSettings(network))];
  const [endpoint] = await deps.db.query<WebhookEndpoint>(SET_NETWORK, values);
  if (endpoint === undefined) throw new AppError("not_found", "There is no such webhook endpoint.");
  return endpoint;
}

/** @throws AppError("not_found") */
export async function readSecretEnc(db: Queryable, id: string): Promise<Buffer> {
  const [row] = await db.query<{ secretEnc: Buffer }>(SELECT_SECRET, [id]);
  if (row === undefined) throw new AppError("not_found", "There is no such webhook endpoint.");
  return row.secretEnc;
}
