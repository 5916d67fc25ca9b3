/**
 * `/api/<date>/<network>/advertisers/<a>/advertiser_campaigns/<c>/ring_pools[/<id_from_network>].json`. POST and PUT both create or update; deleting what is
 * not there does nothing. Any campaign id is accepted, and an account's pools are listed under each.
 */
import { isJsonObject } from "../../kernel/json-object.js";
import type { FastifyRequest } from "fastify";
import type { Account } from "../../account/accounts.store.js";
import { getDestination } from "../../account/destinations.store.js";
import { deletePool } from "../../pool/pool-changes.js";
import { actorOf } from "../auth.js";
import { baseUrlOf } from "../base-url.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { accountNamed } from "./invoca-auth.js";
import { InvocaError, invalidFields } from "./invoca-error.js";
import { nationalDigits } from "./national-number.js";
import { allowsOverflow, putRingPool, ringPoolNamed } from "./put-ring-pool.js";
import { readFlag } from "./read-values.js";
import { readRingPoolFields } from "./ring-pool-fields.js";
import { ringPoolKey } from "./ring-pool-key.js";
import { findRingPool, hasPools, listRingPools, type RingPool } from "./ring-pools.store.js";
import { retireDestination } from "./tracked-destination.js";

/** The answer has no pages: what does not fit is better seen with GET /v1/pools. */
const RING_POOLS_MAX = 1_000;
export const CAMPAIGN = "/:date/:network/advertisers/:advertiser/advertiser_campaigns/:campaign";

export interface CampaignParams {
  readonly network: string;
  readonly advertiser: string;
  readonly campaign: string;
}

export function addRingPoolRoutes(app: HttpApp, deps: HttpDeps): void {
  const schema = { hide: true };
  const read = { config: { access: "read" as const }, schema };
  const write = { config: { access: "write" as const }, schema };
  app.get<{ Params: CampaignParams }>(`${CAMPAIGN}/ring_pools.json`, read, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    const pools = await listRingPools(deps.db, { accountId: account.id, limit: RING_POOLS_MAX });
    return pools.map((ringPool) => showRingPool(deps, request, { account, ringPool }));
  });
  app.get<{ Params: PoolParams }>(`${CAMPAIGN}/ring_pools/:pool.json`, read, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    const ringPool = await ringPoolNamed(deps, namedIn(account, request.params));
    return showRingPool(deps, request, { account, ringPool });
  });
  app.post<{ Params: CampaignParams }>(`${CAMPAIGN}/ring_pools.json`, write, async (request, reply) => {
    const { account, ringPool, isNew } = await put(deps, request, { ...request.params, pool: null });
    return reply.code(isNew ? 201 : 200).send(showRingPool(deps, request, { account, ringPool }));
  });
  app.put<{ Params: PoolParams }>(`${CAMPAIGN}/ring_pools/:pool.json`, write, async (request) => {
    const { account, ringPool } = await put(deps, request, request.params);
    return showRingPool(deps, request, { account, ringPool });
  });
  app.delete<{ Params: PoolParams }>(`${CAMPAIGN}/ring_pools/:pool.json`, write, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    const found = await findRingPool(deps.db, namedIn(account, request.params));
    if (found !== null) await remove(deps, request, found);
    return {};
  });
}

type PoolParams = CampaignParams & { readonly pool: string };

/** Network and advertiser are both the account. */
export async function accountOfCampaign(
  deps: HttpDeps,
  request: FastifyRequest,
  { network, advertiser }: CampaignParams,
): Promise<Account> {
  const account = await accountNamed(deps, request, { what: "Network", id: network });
  if (advertiser !== account.id) throw new InvocaError("RecordNotFound", `Could not find Advertiser ${advertiser}`);
  return account;
}

async function put(
  deps: HttpDeps,
  request: FastifyRequest,
  params: CampaignParams & { readonly pool: string | null },
): Promise<{ account: Account; ringPool: RingPool; isNew: boolean }> {
  const account = await accountOfCampaign(deps, request, params);
  const body = isJsonObject(request.body) ? request.body : {};
  const given = params.pool ?? idIn(body);
  const known = given === null ? null : await findRingPool(deps.db, { accountId: account.id, idFromNetwork: given });
  const fields = readRingPoolFields(body, { needsName: known === null, needsId: params.pool === null });
  const idFromNetwork = params.pool ?? fields.idFromNetwork ?? "";
  if (fields.idFromNetwork !== undefined && fields.idFromNetwork !== idFromNetwork) {
    throw invalidFields({ id_from_network: ["can't be changed"] });
  }
  const asked = { accountId: account.id, campaignId: params.campaign, idFromNetwork, fields, actor: actorOf(request) };
  return { account, ...(await putRingPool(deps, known, asked)) };
}

function idIn(body: Readonly<Record<string, unknown>>): string | null {
  const id = body["id_from_network"];
  return typeof id === "string" || typeof id === "number" ? String(id).trim() : null;
}

function namedIn(account: Account, { campaign, pool }: PoolParams) {
  return { accountId: account.id, campaignId: campaign, idFromNetwork: pool };
}

async function remove(deps: HttpDeps, request: FastifyRequest, { pool }: RingPool): Promise<void> {
  const flag = "delete_detected_phone_number";
  const body = isJsonObject(request.body) ? request.body : {};
  const withDestination = readFlag((request.query as Record<string, unknown>)[flag] ?? body[flag]) ?? false;
  await deletePool(deps, { poolId: pool.id, actor: actorOf(request) });
  deps.directory.changed(pool.accountId);
  if (!withDestination) return;
  const destination = await getDestination(deps.db, { id: pool.destinationId, accountId: pool.accountId });
  // Other pools of it still show numbers for it.
  if (!(await hasPools(deps.db, { destinationId: destination.id, kind: null })))
    await retireDestination(deps, destination);
}

/** Field by field in the order of Invoca's own answers. `id` is ours, a string. */
function showRingPool(
  deps: HttpDeps,
  request: FastifyRequest,
  { account, ringPool }: { account: Account; ringPool: RingPool },
): Record<string, unknown> {
  const { pool, names } = ringPool;
  // One tag an account, so its key stands for Invoca's tag id.
  const destination = {
    destination_phone_number: nationalDigits(pool.destinationNumber),
    js_tag: { obfuscated_tag_id: account.tagKey },
  };
  return {
    id: pool.id,
    id_from_network: names?.idFromNetwork ?? pool.id,
    object_url: `${baseUrlOf(deps, request)}/v1/pools/${pool.id}`,
    preferred: names?.preferred ?? false,
    lifetime_seconds: pool.sessionLifetimeS,
    name: pool.name,
    local_center: names?.localCenter ?? (pool.npa === null ? null : { tn_prefix: pool.npa }),
    local_number_preferences: names?.localNumberPreferences ?? null,
    max_pool_size: pool.maxSize,
    api_key: ringPoolKey(deps.secrets, pool.id),
    fill_immediately: names?.fillImmediately ?? false,
    allow_overflow: allowsOverflow(pool),
    customer_phone_numbers: [destination],
    default_customer_phone_number: destination,
  };
}
