/** `/v1/static_numbers`: numbers that belong to a source (print, TV) instead of a visitor. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type Destination, findDestination } from "../../account/destinations.store.js";
import { getAccount } from "../../account/accounts.store.js";
import { AppError } from "../../kernel/errors.js";
import { createStatic, editStatic, endStaticNumber, type WantedNumber } from "../../pool/static-numbers.js";
import { getStatic, listStatics, type StaticNumber } from "../../pool/static-numbers.store.js";
import { accountToRead, accountToWrite, actorOf, isAdmin, principalOf } from "../auth.js";
import { idParams, pageOut } from "../contract/scalars.js";
import {
  endQuery,
  newStatic,
  showStatic,
  staticChanges,
  staticOut,
  staticQuery,
  touchOfSource,
} from "../contract/static-number.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Static numbers"];
const LIST = "static-numbers";

export function addStaticNumberRoutes(app: HttpApp, deps: HttpDeps): void {
  addCreate(app, deps);
  addReads(app, deps);
  addChange(app, deps);
  addEnd(app, deps);
}

function addCreate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/static_numbers",
    {
      config: { access: "write" },
      schema: {
        summary: "Make a number a source's",
        description:
          "Calls to it go to the destination and carry the source in their touch (attribution never_presented: no visitor was shown it).",
        tags,
        body: newStatic,
        response: { 201: staticOut },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const principal = principalOf(request);
      const account = await getAccount(deps.db, accountToWrite(principal, body.account_id));
      const destination = await destinationOf(deps, account.id, body.destination_number);
      const made = await createStatic(deps, {
        wanted: wantedOf(body),
        destination,
        settings: { name: body.source.name, touch: touchOfSource(body.source), drainS: body.drain_s },
        mayTakePorted: isAdmin(principal),
        actor: actorOf(request),
      });
      return reply.code(201).send(showStatic(made));
    },
  );
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/static_numbers",
    {
      config: { access: "read" },
      schema: {
        summary: "List static numbers in service, oldest first",
        tags,
        querystring: staticQuery,
        response: { 200: pageOut(staticOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const rows = await listStatics(deps.db, {
        accountId: accountToRead(principalOf(request), asked),
        after: afterKey(LIST, cursor),
        limit: limit + 1,
      });
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showStatic });
    },
  );
  app.get(
    "/v1/static_numbers/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get a static number", tags, params: idParams, response: { 200: staticOut } },
    },
    async (request) => showStatic(await readable(deps, request, request.params.id)),
  );
}

function addChange(app: HttpApp, deps: HttpDeps): void {
  app.patch(
    "/v1/static_numbers/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Change where a static number leads and what it stands for",
        description: "For later calls; records keep what they have. 409 once it was given up.",
        tags,
        params: idParams,
        body: staticChanges,
        response: { 200: staticOut },
      },
    },
    async (request) => {
      const { destination_number: to, source, drain_s: drainS } = request.body;
      const known = await readable(deps, request, request.params.id);
      const destination = to === undefined ? null : await destinationOf(deps, known.accountId, to);
      const changes = {
        ...(source === undefined ? {} : { name: source.name, touch: touchOfSource(source) }),
        ...(drainS === undefined ? {} : { drainS }),
      };
      return showStatic(await editStatic(deps, { known, changes, destination }));
    },
  );
}

function addEnd(app: HttpApp, deps: HttpDeps): void {
  app.delete(
    "/v1/static_numbers/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Give a static number up",
        description:
          "It drains for drain_s: calls still come through, and are still the source's. Then it is quarantined. now=true skips draining.",
        tags,
        params: idParams,
        querystring: endQuery,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const known = await readable(deps, request, request.params.id);
      const skipDraining = request.query.now === "true";
      await endStaticNumber(deps, { known, skipDraining, actor: actorOf(request) });
      return reply.code(204).send(null);
    },
  );
}

function wantedOf(body: z.output<typeof newStatic>): WantedNumber {
  const { number, number_type: type = "local", npa = null } = body;
  return number === undefined ? { kind: "any", type, npa } : { kind: "named", number };
}

async function destinationOf(deps: HttpDeps, accountId: string, number: string): Promise<Destination> {
  const destination = await findDestination(deps.db, { accountId, number });
  if (destination !== null) return destination;
  const message = "is no destination of the account; create it with POST /v1/destinations first";
  const fields = [{ path: "destination_number", message }];
  throw new AppError("invalid_value", "A static number leads to a destination.", { fields });
}

/** @throws AppError("not_found") for another account's */
function readable(deps: HttpDeps, request: FastifyRequest, id: string): Promise<StaticNumber> {
  return getStatic(deps.db, { id, accountId: principalOf(request).accountId });
}
