/**
 * `…/advertiser_campaigns/<c>/promo_numbers[/<number>].json`: numbers that belong to a source, our static numbers. A POST takes another number every time;
 * PUT and DELETE name one by its digits. Deleting what is not there does nothing.
 */
import type { FastifyRequest } from "fastify";
import type { Account } from "../../account/accounts.store.js";
import { AppError } from "../../kernel/errors.js";
import { isJsonObject } from "../../kernel/json-object.js";
import { createStatic, editStatic, endStaticNumber } from "../../pool/static-numbers.js";
import { getStatic, listStatics, type StaticNumber } from "../../pool/static-numbers.store.js";
import { poolDefaults } from "../../pool/ring-pool.js";
import { normalizeNumber } from "../../telephony/e164.js";
import { actorOf } from "../auth.js";
import { baseUrlOf } from "../base-url.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { InvocaError } from "./invoca-error.js";
import { nationalDigits } from "./national-number.js";
import { type PromoNumberFields, readPromoNumberFields } from "./promo-number-fields.js";
import { findPromoNumber, putPromoNumberName, readPromoNumberNames } from "./promo-numbers.store.js";
import { accountOfCampaign, CAMPAIGN, type CampaignParams } from "./ring-pool-routes.js";
import { onlyDestination, trackDestination } from "./tracked-destination.js";

/** The answer has no pages: what does not fit is better seen with GET /v1/static_numbers. */
const PROMO_NUMBERS_MAX = 1_000;

type NumberParams = CampaignParams & { readonly number: string };

export function addPromoNumberRoutes(app: HttpApp, deps: HttpDeps): void {
  const schema = { hide: true };
  const read = { config: { access: "read" as const }, schema };
  const write = { config: { access: "write" as const }, schema };
  app.get<{ Params: CampaignParams }>(`${CAMPAIGN}/promo_numbers.json`, read, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    return showAll(
      deps,
      request,
      await listStatics(deps.db, { accountId: account.id, after: "", limit: PROMO_NUMBERS_MAX }),
    );
  });
  app.get<{ Params: NumberParams }>(`${CAMPAIGN}/promo_numbers/:number.json`, read, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    return showOne(deps, request, await numberNamed(deps, account, request.params));
  });
  app.post<{ Params: CampaignParams }>(`${CAMPAIGN}/promo_numbers.json`, write, async (request, reply) => {
    const account = await accountOfCampaign(deps, request, request.params);
    const made = await create(deps, request, account);
    return reply.code(201).send(await showOne(deps, request, made));
  });
  app.put<{ Params: NumberParams }>(`${CAMPAIGN}/promo_numbers/:number.json`, write, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    return showOne(deps, request, await change(deps, request, account));
  });
  app.delete<{ Params: NumberParams }>(`${CAMPAIGN}/promo_numbers/:number.json`, write, async (request) => {
    const account = await accountOfCampaign(deps, request, request.params);
    const known = await find(deps, account, request.params.number);
    if (known !== null) await endStaticNumber(deps, { known, skipDraining: false, actor: actorOf(request) });
    return {};
  });
}

async function create(deps: HttpDeps, request: FastifyRequest, account: Account): Promise<StaticNumber> {
  const fields = readPromoNumberFields(bodyOf(request), { isNew: true });
  const { description = "", mediaType = "", customData = {}, wanted, idFromNetwork } = fields;
  const destination =
    fields.destination === undefined
      ? await onlyDestination(deps, account.id)
      : await trackDestination(deps, account.id, fields.destination);
  const made = await takingAny(() =>
    createStatic(deps, {
      wanted,
      destination,
      settings: {
        name: description,
        touch: touchOf({ description, mediaType, customData }),
        drainS: poolDefaults.drainS,
      },
      mayTakePorted: false,
      actor: actorOf(request),
    }),
  );
  if (idFromNetwork !== undefined) await putPromoNumberName(deps.db, made.id, idFromNetwork);
  return made;
}

/** What is not sent stays. */
async function change(deps: HttpDeps, request: FastifyRequest, account: Account): Promise<StaticNumber> {
  const body = bodyOf(request);
  const known = await numberNamed(deps, account, request.params as NumberParams);
  const fields = readPromoNumberFields(body, { isNew: false });
  assertNotMoved(account, body["destination_advertiser_id_from_network"]);
  const { source_name: _, media_type: mediaTypeBefore = "", ...dataBefore } = known.touch;
  const description = fields.description ?? known.name;
  const touch = touchOf({
    description,
    mediaType: fields.mediaType ?? mediaTypeBefore,
    customData: fields.customData ?? dataBefore,
  });
  const destination = await newDestination(deps, account, fields);
  const changed = await editStatic(deps, { known, changes: { name: description, touch }, destination });
  if (fields.idFromNetwork !== undefined) await putPromoNumberName(deps.db, known.id, fields.idFromNetwork);
  return changed;
}

async function newDestination(deps: HttpDeps, account: Account, { destination }: PromoNumberFields) {
  return destination === undefined ? null : trackDestination(deps, account.id, destination);
}

/** A number goes to another account through quarantine alone; another campaign of the same one is no move here. */
function assertNotMoved(account: Account, advertiser: unknown): void {
  if (advertiser === undefined || advertiser === null || advertiser === account.id) return;
  throw new InvocaError("UnauthorizedAdvertiser", "You do not have access to this advertiser");
}

/** Invoca says so with its error for the promo-number limit; the words are ours. */
async function takingAny<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && (error.code === "inventory_short" || error.code === "account_limit")) {
      throw new InvocaError("RecordInvalid", error.message);
    }
    throw error;
  }
}

/** What a static number's calls are credited to, with what Invoca's API must give back. */
function touchOf(input: { description: string; mediaType: string; customData: Readonly<Record<string, string>> }) {
  const { description, mediaType, customData } = input;
  return { source_name: description, ...(mediaType === "" ? {} : { media_type: mediaType }), ...customData };
}

async function numberNamed(deps: HttpDeps, account: Account, params: NumberParams): Promise<StaticNumber> {
  const known = await find(deps, account, params.number);
  if (known !== null) return known;
  const where = `for advertiser campaign ${params.campaign} and advertiser ${account.id}`;
  throw new InvocaError("RecordNotFound", `Could not find PromoNumber ${params.number} ${where}`);
}

async function find(deps: HttpDeps, account: Account, text: string): Promise<StaticNumber | null> {
  const e164 = normalizeNumber(text);
  const id = e164 === null ? null : await findPromoNumber(deps.db, { accountId: account.id, e164 });
  return id === null ? null : getStatic(deps.db, { id, accountId: account.id });
}

function bodyOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return isJsonObject(request.body) ? request.body : {};
}

async function showOne(
  deps: HttpDeps,
  request: FastifyRequest,
  number: StaticNumber,
): Promise<Record<string, unknown> | undefined> {
  return (await showAll(deps, request, [number]))[0];
}

async function showAll(
  deps: HttpDeps,
  request: FastifyRequest,
  numbers: readonly StaticNumber[],
): Promise<Record<string, unknown>[]> {
  const names = await readPromoNumberNames(
    deps.db,
    numbers.map(({ id }) => id),
  );
  return numbers.map(({ id, name, number, touch }) => {
    const { source_name: _, media_type: mediaType = null, ...customData } = touch;
    return {
      id,
      id_from_network: names.get(id) ?? id,
      media_type: mediaType,
      promo_number: nationalDigits(number),
      description: name,
      object_url: `${baseUrlOf(deps, request)}/v1/static_numbers/${id}`,
      custom_data: customData,
    };
  });
}
