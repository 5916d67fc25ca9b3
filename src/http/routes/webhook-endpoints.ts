/** `/v1/webhook_endpoints`: whom events are told. Who may not see callers may neither ask for them in bodies nor move an endpoint that gets them. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { getAccount } from "../../account/accounts.store.js";
import { cancelNamingCallers } from "../../account/outgoing/deliveries.store.js";
import { CONVERSION_EVENTS, openSettings } from "../../account/outgoing/conversion-settings.js";
import { createNetworkEndpoint, readSecretEnc, setNetwork } from "../../account/outgoing/network-endpoints.store.js";
import { checkTarget } from "../../account/outgoing/target-guard.js";
import {
  CONCURRENCY_DEFAULT,
  createEndpoint,
  deleteEndpoint,
  disableEndpoint,
  enableEndpoint,
  type EndpointSettings,
  getEndpoint,
  getEndpointToChange,
  listEndpoints,
  lockEndpointCount,
  rotateSecret,
  updateEndpoint,
  type WebhookEndpoint,
} from "../../account/outgoing/webhook-endpoints.store.js";
import type { Queryable } from "../../db/database.js";
import { AppError } from "../../kernel/errors.js";
import type { Secrets } from "../../kernel/secrets.js";
import { accountToRead, principalOf } from "../auth.js";
import { changedSettings, isConversionKind } from "../contract/conversion-endpoint.js";
import { idParams, pageOut } from "../contract/scalars.js";
import {
  createdEndpointOut,
  type EndpointChanges,
  endpointChanges,
  endpointOut,
  endpointQuery,
  type NewEndpoint,
  newEndpoint,
  newEndpointOut,
  showEndpoint,
} from "../contract/webhook-endpoint.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Webhooks"];
const LIST = "webhook_endpoints";

export function addWebhookEndpointRoutes(app: HttpApp, deps: HttpDeps): void {
  addCreate(app, deps);
  addReads(app, deps);
  addChange(app, deps);
  addRotate(app, deps);
  addDelete(app, deps);
}

function addCreate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/webhook_endpoints",
    {
      config: { access: "write" },
      schema: {
        summary: "Create a webhook endpoint",
        description:
          "kind webhook, when none is given: events are POSTed to it, signed as Standard Webhooks says, at least once; the secret is shown in this answer only. kinds ga4, google_ads and meta: conversions are told to the network, one a call; secrets of settings are shown masked.",
        tags,
        body: newEndpoint,
        response: { 201: newEndpointOut },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const accountId = accountToRead(principalOf(request), body.account_id);
      if ("include_caller" in body && body.include_caller === true) assertSeesCallers(request);
      if (accountId !== null) await getAccount(deps.db, accountId);
      const { endpoint, secret } = await deps.db.transaction(async (tx) => {
        await lockEndpointCount(tx, accountId);
        return create({ ...deps, db: tx }, accountId, body);
      });
      audit(deps, request, endpoint, "created");
      return reply.code(201).send({ ...showEndpoint(endpoint), ...(secret === null ? {} : { secret }) });
    },
  );
}

async function create(
  deps: Omit<HttpDeps, "db"> & { readonly db: Queryable },
  accountId: string | null,
  body: NewEndpoint,
): Promise<{ endpoint: WebhookEndpoint; secret: string | null }> {
  const common = {
    description: body.description ?? null,
    includeCaller: ("include_caller" in body ? body.include_caller : false) ?? false,
    maxConcurrency: body.max_concurrency ?? CONCURRENCY_DEFAULT,
  };
  if (!("settings" in body)) {
    const { url, events, format = "standard" } = body;
    return createEndpoint(deps, { accountId, settings: { ...common, url: targetOf(deps, url), events, format } });
  }
  if (accountId === null) {
    const fields = [{ path: "account_id", message: "must say whose conversions are told" }];
    throw new AppError("invalid_value", "A network is told of one account's conversions.", { fields });
  }
  const settings = { ...common, url: null, events: CONVERSION_EVENTS, format: "standard" } as const;
  const { kind, settings: network } = body;
  return { endpoint: await createNetworkEndpoint(deps, { accountId, settings, kind, network }), secret: null };
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/webhook_endpoints",
    {
      config: { access: "read" },
      schema: {
        summary: "List webhook endpoints, oldest first",
        tags,
        querystring: endpointQuery,
        response: { 200: pageOut(endpointOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const accountId = accountToRead(principalOf(request), asked);
      const rows = await listEndpoints(deps.db, { accountId, after: afterKey(LIST, cursor), limit: limit + 1 });
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showEndpoint });
    },
  );
  app.get(
    "/v1/webhook_endpoints/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get a webhook endpoint", tags, params: idParams, response: { 200: endpointOut } },
    },
    async (request) => showEndpoint(await readable(deps, request)),
  );
}

function addChange(app: HttpApp, deps: HttpDeps): void {
  app.patch(
    "/v1/webhook_endpoints/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Change, enable or disable a webhook endpoint",
        tags,
        params: idParams,
        body: endpointChanges,
        response: { 200: endpointOut },
      },
    },
    async (request) => {
      const { body, params } = request;
      const { accountId } = principalOf(request);
      const changed = await deps.db.transaction(async (tx) => {
        const known = await getEndpointToChange(tx, { id: params.id, accountId });
        if (known.includeCaller || body.include_caller === true) assertSeesCallers(request);
        return change({ ...deps, db: tx }, known, body);
      });
      audit(deps, request, changed, "changed");
      if (changed.enabled) deps.outgoing.soon(changed.id);
      return showEndpoint(changed);
    },
  );
}

/** The row is held. */
async function change(
  deps: Omit<HttpDeps, "db"> & { readonly db: Queryable },
  known: WebhookEndpoint,
  body: EndpointChanges,
): Promise<WebhookEndpoint> {
  const { db } = deps;
  assertFitting(known, body);
  const settings: EndpointSettings = {
    url: body.url === undefined ? known.url : targetOf(deps, body.url),
    events: body.events ?? known.events,
    description: body.description === undefined ? known.description : body.description,
    format: body.format ?? known.format,
    includeCaller: body.include_caller ?? known.includeCaller,
    maxConcurrency: body.max_concurrency ?? known.maxConcurrency,
  };
  if (body.settings !== undefined) await changeNetwork(deps, known, body.settings);
  const updated = await updateEndpoint(db, known.id, settings);
  // Bodies that wait were made for who was shown callers.
  if (known.includeCaller && !settings.includeCaller) await cancelNamingCallers(db, known.id);
  if (body.enabled === true) return (await enableEndpoint(db, known.id)) ?? updated;
  if (body.enabled === false) return (await disableEndpoint(db, known.id, "asked")) ?? updated;
  return updated;
}

/** What an endpoint of a kind has no use for. */
const FOREIGN_FIELDS = {
  webhook: ["settings"],
  ga4: ["url", "events", "format", "include_caller"],
  google_ads: ["url", "events", "format", "include_caller"],
  meta: ["url", "events", "format"],
} as const satisfies Readonly<Record<string, readonly (keyof EndpointChanges)[]>>;

/** @throws AppError("invalid_value") */
function assertFitting({ kind }: WebhookEndpoint, body: EndpointChanges): void {
  const fields = FOREIGN_FIELDS[isConversionKind(kind) ? kind : "webhook"]
    .filter((path) => body[path] !== undefined)
    .map((path) => ({ path, message: `an endpoint of the kind ${kind} has none` }));
  if (fields.length > 0) throw new AppError("invalid_value", "The request is not acceptable; see errors.", { fields });
}

async function changeNetwork(
  deps: { readonly db: Queryable; readonly secrets: Secrets },
  { id, kind }: WebhookEndpoint,
  changes: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (!isConversionKind(kind)) return;
  const known = openSettings(deps.secrets, await readSecretEnc(deps.db, id));
  await setNetwork(deps, id, changedSettings(kind, { known, changes }));
}

function addRotate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/webhook_endpoints/:id/rotate_secret",
    {
      config: { access: "write" },
      schema: {
        summary: "Give a webhook endpoint a new secret",
        description:
          "For 24 hours the former secret signs beside the new one: webhook-signature holds both signatures, separated by a space. The new one is shown in this answer only.",
        tags,
        params: idParams,
        response: { 200: createdEndpointOut },
      },
    },
    async (request) => {
      const known = await readable(deps, request);
      if (known.kind !== "webhook") throw new AppError("conflict", "Only webhooks are signed; PATCH its settings.");
      const { endpoint, secret } = await rotateSecret(deps, known.id);
      audit(deps, request, endpoint, "secret_rotated");
      return { ...showEndpoint(endpoint), secret };
    },
  );
}

function addDelete(app: HttpApp, deps: HttpDeps): void {
  app.delete(
    "/v1/webhook_endpoints/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Delete a webhook endpoint and what waits for it",
        tags,
        params: idParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const known = await readable(deps, request);
      await deleteEndpoint(deps.db, known.id);
      audit(deps, request, known, "deleted");
      return reply.code(204).send(null);
    },
  );
}

/** @throws AppError("not_found") */
function readable(deps: HttpDeps, request: FastifyRequest<{ Params: { id: string } }>): Promise<WebhookEndpoint> {
  return getEndpoint(deps.db, { id: request.params.id, accountId: principalOf(request).accountId });
}

/** @throws AppError("invalid_value") */
function targetOf({ outgoing }: Pick<HttpDeps, "outgoing">, url: string): string {
  const check = checkTarget(outgoing.guard, url);
  if (check.kind === "fine") return check.url;
  const fields = [{ path: "url", message: check.message }];
  throw new AppError("invalid_value", "Webhooks may not be sent there.", { fields });
}

/** @throws AppError("forbidden") */
function assertSeesCallers(request: FastifyRequest): void {
  if (principalOf(request).scopes.includes("calls:pii")) return;
  throw new AppError("forbidden", "An endpoint with include_caller is set by a key with the scope calls:pii only.");
}

/** Who sends callers where is looked for in the log. */
function audit(deps: HttpDeps, request: FastifyRequest, endpoint: WebhookEndpoint, what: string): void {
  const { id, kind, accountId, url, includeCaller } = endpoint;
  const { keyId } = principalOf(request);
  const host = url === null ? null : new URL(url).host;
  deps.log.info(`webhook_endpoint.${what}`, {
    requestId: request.id,
    keyId,
    endpoint: id,
    kind,
    accountId,
    host,
    includeCaller,
  });
}
