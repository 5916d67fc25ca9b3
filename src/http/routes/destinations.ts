/** `/v1/destinations`: the businesses' own numbers and where their calls ring. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { getAccount } from "../../account/accounts.store.js";
import {
  createDestination,
  deleteDestination,
  type Destination,
  getDestination,
  listDestinations,
  updateDestination,
} from "../../account/destinations.store.js";
import { accountToRead, accountToWrite, isAdmin, principalOf } from "../auth.js";
import {
  destinationChanges,
  destinationOut,
  destinationQuery,
  newDestination,
  showDestination,
} from "../contract/destination.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { assertPublicTargets } from "../contract/sip-target.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Destinations"];
const LIST = "destinations";

type Settings = z.output<typeof destinationChanges>;

export function addDestinationRoutes(app: HttpApp, deps: HttpDeps): void {
  addCreate(app, deps);
  addReads(app, deps);
  addChange(app, deps);
  addDelete(app, deps);
}

function addCreate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/destinations",
    {
      config: { access: "write" },
      schema: {
        summary: "Create a destination",
        description:
          "A number that was merely discovered on a page becomes this destination. 409 when it is tracked already.",
        tags,
        body: newDestination,
        response: { 201: destinationOut },
      },
    },
    async (request, reply) => {
      const { account_id: asked, number, ...settings } = request.body;
      const accountId = accountToWrite(principalOf(request), asked);
      assertTargets(deps, request, settings);
      const account = await getAccount(deps.db, accountId);
      const destination = await createDestination(deps, account.id, { number, ...settingsOf(settings) });
      deps.directory.changed(account.id);
      return reply.code(201).send(showDestination(destination));
    },
  );
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/destinations",
    {
      config: { access: "read" },
      schema: {
        summary: "List destinations, oldest first",
        tags,
        querystring: destinationQuery,
        response: { 200: pageOut(destinationOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked, status } = request.query;
      const rows = await listDestinations(deps.db, {
        accountId: accountToRead(principalOf(request), asked),
        status: status ?? null,
        after: afterKey(LIST, cursor),
        limit: limit + 1,
      });
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showDestination });
    },
  );
  app.get(
    "/v1/destinations/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get a destination", tags, params: idParams, response: { 200: destinationOut } },
    },
    async (request) => showDestination(await readable(deps, request, request.params.id)),
  );
}

function addChange(app: HttpApp, deps: HttpDeps): void {
  app.patch(
    "/v1/destinations/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Change a destination",
        description: "The number itself stays; null clears what may be empty.",
        tags,
        params: idParams,
        body: destinationChanges,
        response: { 200: destinationOut },
      },
    },
    async (request) => {
      assertTargets(deps, request, request.body);
      const known = await readable(deps, request, request.params.id);
      const destination = await updateDestination(deps.db, known, settingsOf(request.body));
      deps.directory.changed(known.accountId);
      return showDestination(destination);
    },
  );
}

function addDelete(app: HttpApp, deps: HttpDeps): void {
  app.delete(
    "/v1/destinations/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Delete a destination that no pool points to",
        description: "409 as well while numbers of a deleted pool still drain, and for one that had static numbers.",
        tags,
        params: idParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const known = await readable(deps, request, request.params.id);
      await deleteDestination(deps.db, known);
      deps.directory.changed(known.accountId);
      return reply.code(204).send(null);
    },
  );
}

/** @throws AppError("not_found") */
function readable(deps: HttpDeps, request: FastifyRequest, id: string): Promise<Destination> {
  return getDestination(deps.db, { id, accountId: principalOf(request).accountId });
}

function assertTargets(deps: HttpDeps, request: FastifyRequest, settings: Settings): void {
  if (!deps.embedded && !isAdmin(principalOf(request))) assertPublicTargets(settings);
}

function settingsOf(body: Settings) {
  return {
    name: body.name,
    sipUri: body.sip_uri,
    failover: body.failover,
    maxConcurrentCalls: body.max_concurrent_calls,
    ringTimeoutS: body.ring_timeout_s,
    callerId: body.caller_id,
    passIds: body.pass_ids,
    whisper: body.whisper,
    recordAnnouncement: body.record_announcement,
    status: body.status,
  };
}
