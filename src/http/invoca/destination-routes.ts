/**
 * `/api/<date>/<network>/customer_phone_numbers[/<id>].json`: destinations, listed, read and deleted. They are made with a ring pool. Pages are counted by
 * `start`, as Invoca's clients do it: what is added meanwhile may shift them.
 */
import { getDestination } from "../../account/destinations.store.js";
import type { DestinationStatus } from "../../account/destinations.store.js";
import { AppError } from "../../kernel/errors.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import {
  countDestinations,
  DESTINATION_SORTS,
  type ListedDestination,
  searchDestinations,
} from "./destinations.store.js";
import { accountNamed } from "./invoca-auth.js";
import { InvocaError, invalidFields } from "./invoca-error.js";
import { dashed } from "./national-number.js";
import { FieldReader, firstOf } from "./read-values.js";
import { retireDestination } from "./tracked-destination.js";
import { objectText } from "./zoned-time.js";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;
/** Deeper pages cost as much as all before them; nobody has so many destinations. */
const START_MAX = 100_000;
const BASE = "/:date/:network/customer_phone_numbers";

interface OneParams {
  readonly network: string;
  readonly destination: string;
}

export function addDestinationRoutes(app: HttpApp, deps: HttpDeps): void {
  const read = { config: { access: "read" as const }, schema: { hide: true } };
  const write = { config: { access: "write" as const }, schema: { hide: true } };
  app.get<{ Params: { network: string }; Querystring: Record<string, unknown> }>(
    `${BASE}.json`,
    read,
    async (request) => {
      const account = await accountNamed(deps, request, { what: "Network", id: request.params.network });
      const { search, page } = readSearch(account.id, request.query);
      const found = await searchDestinations(deps.db, search, page);
      const total = await countDestinations(deps.db, search);
      return { data: found.map((one) => show(one, account.timeZone)), requestId: null, recordsTotal: total };
    },
  );
  app.get<{ Params: OneParams }>(`${BASE}/:destination.json`, read, async (request) => {
    const { network, destination: id } = request.params;
    const account = await accountNamed(deps, request, { what: "Network", id: network });
    const search = { accountId: account.id, id, query: null, status: null };
    const [found] = await searchDestinations(deps.db, search, { sortBy: "id", isAscending: true, start: 0, limit: 1 });
    if (found === undefined) throw new InvocaError("RecordNotFound", `Could not find CustomerPhoneNumber ${id}`);
    return show(found, account.timeZone);
  });
  app.delete<{ Params: OneParams }>(`${BASE}/:destination.json`, write, async (request) => {
    const { network, destination: id } = request.params;
    const account = await accountNamed(deps, request, { what: "Network", id: network });
    try {
      await retireDestination(deps, await getDestination(deps.db, { id, accountId: account.id }));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    }
    return {};
  });
}

function readSearch(accountId: string, query: Record<string, unknown>) {
  const reader = new FieldReader(
    Object.fromEntries(Object.entries(query).map(([name, value]) => [name, firstOf(value)])),
  );
  const status = choiceOf(reader, query["status"], "status", ["ignored", "tracked", "discovered"] as const);
  const sortBy = choiceOf(reader, query["sort_by"], "sort_by", DESTINATION_SORTS) ?? "id";
  const direction = choiceOf(reader, query["sort_dir"], "sort_dir", ["asc", "desc"] as const) ?? "asc";
  const limit = reader.integer("limit", { min: 1, max: LIMIT_MAX }) ?? LIMIT_DEFAULT;
  const start = reader.integer("start", { min: 0, max: START_MAX }) ?? 0;
  const digits = (firstOf(query["query"]) ?? "").replace(/\D/g, "");
  if (Object.keys(reader.wrong).length > 0) throw invalidFields(reader.wrong);
  const search = { accountId, id: null, query: digits || null, status: status satisfies DestinationStatus | null };
  return { search, page: { sortBy, isAscending: direction === "asc", start, limit } };
}

function choiceOf<T extends string>(
  reader: FieldReader,
  value: unknown,
  name: string,
  choices: readonly T[],
): T | null {
  const text = firstOf(value) ?? "";
  if (text === "") return null;
  const choice = choices.find((one) => one === text.toLowerCase());
  if (choice === undefined) reader.refuse(name, "is not included in the list");
  return choice ?? null;
}

/** `advertiser_campaign.status` has no counterpart: what exists is active. */
function show(one: ListedDestination, timeZone: string): Record<string, unknown> {
  const updated = objectText(one.updatedAt, timeZone);
  const hasPool = one.poolId !== null;
  return {
    id: one.id,
    country_code: one.number.startsWith("+1") ? "1" : null,
    phone_number: dashed(one.number),
    primary_url: "",
    requested_destination_name: one.name ?? "",
    acknowledged_at: null,
    created_at: objectText(one.createdAt, timeZone),
    updated_at: updated,
    advertiser_campaign: {
      id_from_network: one.campaignId,
      name: one.campaignId,
      status: one.campaignId === null ? null : "Activated",
    },
    dynamic_number_pool: {
      id_from_network: one.idFromNetwork,
      name: one.poolName,
      pool_type: hasPool ? "Custom" : null,
      destination_type: hasPool ? "Advertiser" : null,
      lifetime_seconds: one.lifetimeS,
      max_pool_size: one.maxPoolSize,
      preferred: hasPool ? one.preferred : null,
      is_first_preference: hasPool ? true : null,
      use_custom_data: hasPool ? true : null,
    },
    ignored_at: one.status === "ignored" ? updated : null,
    notified_at: null,
  };
}
