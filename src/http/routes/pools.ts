/** `/v1/pools`: making, reading, editing and deleting ring pools. What moves numbers in and out is in pool-numbers.ts. */
import { z } from "zod";
import { getAccount } from "../../account/accounts.store.js";
import { createPool, deletePool, editPool } from "../../pool/pool-changes.js";
import { listPools } from "../../pool/pools.store.js";
import { accountToRead, accountToWrite, actorOf, principalOf } from "../auth.js";
import { newPool, poolChanges, poolOut, poolQuery, showPool } from "../contract/pool.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { readablePool } from "../readable-pool.js";
import { planNewPool, planPoolChanges, refusedAsDuplicate } from "../pool-plan.js";

const tags = ["Pools"];
const LIST = "pools";

export function addPoolRoutes(app: HttpApp, deps: HttpDeps): void {
  addCreate(app, deps);
  addReads(app, deps);
  addChange(app, deps);
  addDelete(app, deps);
}

function addCreate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/pools",
    {
      config: { access: "write" },
      schema: {
        summary: "Create a pool and fill it",
        description:
          "Filled from the available inventory before it answers, lowest number first; size says with how many. 409 for a second automatic pool of one destination.",
        tags,
        body: newPool,
        response: { 201: poolOut },
      },
    },
    async (request, reply) => {
      const accountId = accountToWrite(principalOf(request), request.body.account_id);
      const account = await getAccount(deps.db, accountId);
      const pool = await planNewPool(deps.db, { accountId: account.id, body: request.body });
      const fillImmediately = request.body.fill_immediately;
      const created = await createPool(deps, { pool, fillImmediately, actor: actorOf(request) });
      deps.directory.changed(account.id);
      return reply.code(201).send(showPool(created));
    },
  );
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/pools",
    {
      config: { access: "read" },
      schema: {
        summary: "List pools, oldest first",
        tags,
        querystring: poolQuery,
        response: { 200: pageOut(poolOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const accountId = accountToRead(principalOf(request), asked);
      const rows = await listPools(deps.db, { accountId, after: afterKey(LIST, cursor), limit: limit + 1 });
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showPool });
    },
  );
  app.get(
    "/v1/pools/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get a pool", tags, params: idParams, response: { 200: poolOut } },
    },
    async (request) => showPool(await readablePool(deps, request, request.params.id)),
  );
}

function addChange(app: HttpApp, deps: HttpDeps): void {
  app.patch(
    "/v1/pools/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Change a pool",
        description:
          "New settings hold for later presentations. Another kind, campaign, number type or area code is a 409. A lower max_size drains the numbers presented longest ago.",
        tags,
        params: idParams,
        body: poolChanges,
        response: { 200: poolOut },
      },
    },
    async (request) => {
      const known = await readablePool(deps, request, request.params.id);
      const plan = await planPoolChanges(deps.db, { known, body: request.body });
      const edit = { poolId: known.id, ...plan, actor: actorOf(request) };
      const pool = await refusedAsDuplicate(() => editPool(deps, edit));
      deps.directory.changed(known.accountId);
      return showPool(pool);
    },
  );
}

function addDelete(app: HttpApp, deps: HttpDeps): void {
  app.delete(
    "/v1/pools/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Delete a pool",
        description: "Its numbers drain: they still reach the destination until the last visitor's retention is over.",
        tags,
        params: idParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id, accountId } = await readablePool(deps, request, request.params.id);
      await deletePool(deps, { poolId: id, actor: actorOf(request) });
      deps.directory.changed(accountId);
      return reply.code(204).send(null);
    },
  );
}
