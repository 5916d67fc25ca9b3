/** Numbers in and out of a pool: by count, by name, one by one. To an exact size: pool-scaling.ts. */
import { AppError } from "../../kernel/errors.js";
import { addNumbers, removeFromPool } from "../../pool/pool-changes.js";
import { visibleNumbers } from "../../pool/numbers.store.js";
import { actorOf, principalOf } from "../auth.js";
import { numberOut, showNumber } from "../contract/number.js";
import { moreNumbers, poolNumberParams, poolOut, removeQuery, showPool } from "../contract/pool.js";
import { idParams } from "../contract/scalars.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { readQuarantineFacts } from "../quarantine-facts.js";
import { readablePool } from "../readable-pool.js";

const tags = ["Pools"];

export function addPoolNumberRoutes(app: HttpApp, deps: HttpDeps): void {
  addAdd(app, deps);
  addRemove(app, deps);
}

function addAdd(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/pools/:id/numbers",
    {
      config: { access: "write" },
      schema: {
        summary: "Add numbers to a pool, by count or by name",
        description:
          "All of them or none: 409 over max_size, or when the inventory is short of matching numbers. One that drains comes back as what it was: an overflow number to its own pool alone, a static one not at all (409).",
        tags,
        params: idParams,
        body: moreNumbers,
        response: { 200: poolOut },
      },
    },
    async (request) => {
      const { count, numbers = [] } = request.body;
      const { id: poolId } = await readablePool(deps, request, request.params.id);
      const actor = actorOf(request);
      if (count !== undefined) return showPool(await addNumbers(deps, { poolId, count, actor }));
      await assertVisible(deps, numbers, principalOf(request).accountId);
      // In one order for everybody: two requests that lock the same numbers then wait for each other instead of failing.
      return showPool(await addNumbers(deps, { poolId, numbers: [...numbers].sort(), actor }));
    },
  );
}

function addRemove(app: HttpApp, deps: HttpDeps): void {
  app.delete(
    "/v1/pools/:id/numbers/:number",
    {
      config: { access: "write" },
      schema: {
        summary: "Remove a number from a pool",
        description:
          "It drains while somebody who was presented it may still call, then it is quarantined; at once when nobody may, or with now=true.",
        tags,
        params: poolNumberParams,
        querystring: removeQuery,
        response: { 200: numberOut },
      },
    },
    async (request) => {
      const { id, number: e164 } = request.params;
      const { id: poolId } = await readablePool(deps, request, id);
      const skipDraining = request.query.now === "true";
      const reason = skipDraining ? "removed from the pool, now" : "removed from the pool";
      const removed = await removeFromPool(deps, { poolId, e164, skipDraining, reason, actor: actorOf(request) });
      const factsOf = await readQuarantineFacts(deps, [removed]);
      return showNumber(removed, factsOf(removed));
    },
  );
}

/** A conflict about another account's number would tell that it exists. */
async function assertVisible(deps: HttpDeps, numbers: readonly string[], accountId: string | null): Promise<void> {
  if (accountId === null) return;
  const visible = await visibleNumbers(deps.db, { numbers, accountId });
  const fields = numbers.flatMap((number, index) =>
    visible.has(number) ? [] : [{ path: `numbers.${index}`, message: "there is no such number" }],
  );
  if (fields.length > 0) throw new AppError("not_found", "Some of the numbers do not exist; see errors.", { fields });
}
