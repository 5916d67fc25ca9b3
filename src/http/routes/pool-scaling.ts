/** A pool's size: brought to a number, looked at by the autoscaling rule now or in a dry run, and the decisions so far. */
import { invariant } from "../../kernel/invariant.js";
import { foreseeLook, lookAtPool } from "../../pool/autoscale-run.js";
import { listDecisions } from "../../pool/scale-decisions.store.js";
import { scalePool } from "../../pool/scale-pool.js";
import { actorOf } from "../auth.js";
import { poolOut, scaleBody, showPool } from "../contract/pool.js";
import { autoscaleBody, autoscaleOut, decisionOut, decisionQuery, showDecision } from "../contract/pool-scaling.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { readablePool } from "../readable-pool.js";

const tags = ["Pools"];
const LIST = "scale_decisions";

export function addPoolScalingRoutes(app: HttpApp, deps: HttpDeps): void {
  addScale(app, deps);
  addAutoscale(app, deps);
  addDecisions(app, deps);
}

function addScale(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/pools/:id/scale",
    {
      config: { access: "write" },
      schema: {
        summary: "Bring a pool to exactly this many numbers, the overflow number included",
        description:
          "What is too much drains, presented longest ago first. 409 like adding numbers; then nothing changed. With buy, what the inventory lacks is ordered and comes later; the decision follows it. What was ordered before beyond that size is given up.",
        tags,
        params: idParams,
        body: scaleBody,
        response: { 200: poolOut },
      },
    },
    async (request) => {
      const { id: poolId } = await readablePool(deps, request, request.params.id);
      const { size, buy } = request.body;
      const { pool, decision } = await scalePool(scaleDeps(deps), { poolId, size, buy, actor: actorOf(request) });
      if (decision.onOrder > 0) deps.scaling.soon([poolId]);
      return showPool(pool);
    },
  );
}

function addAutoscale(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/pools/:id/autoscale",
    {
      config: { access: "write" },
      schema: {
        summary: "Let the autoscaling rule look at a pool now",
        description:
          "Does what the job would do, within the same limits, and stores the decision. With dry_run it only says what it would do, from which inputs and why.",
        tags,
        params: idParams,
        body: autoscaleBody,
        response: { 200: autoscaleOut },
      },
    },
    async (request) => {
      const { id: poolId } = await readablePool(deps, request, request.params.id);
      const actor = actorOf(request);
      if (request.body.dry_run) {
        const foreseen = await foreseeLook({ db: deps.db, canBuy: deps.scaling.canBuy }, poolId);
        return { dry_run: true, decision: showDecision({ ...foreseen, id: null, actor }) };
      }
      const decision = await lookAtPool(scaleDeps(deps), { poolId, by: "asked", actor });
      invariant(decision !== null, "a look that was asked for is always decided");
      if (decision.onOrder > 0) deps.scaling.soon([poolId]);
      return { dry_run: false, decision: showDecision(decision) };
    },
  );
}

function addDecisions(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/pools/:id/scale_decisions",
    {
      config: { access: "read" },
      schema: {
        summary: "Decisions about a pool's size, newest first",
        tags,
        params: idParams,
        querystring: decisionQuery,
        response: { 200: pageOut(decisionOut) },
      },
    },
    async (request) => {
      const { id: poolId } = await readablePool(deps, request, request.params.id);
      const { limit, cursor } = request.query;
      const rows = await listDecisions(deps.db, { poolId, before: afterKey(LIST, cursor), limit: limit + 1 });
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showDecision });
    },
  );
}

function scaleDeps(deps: HttpDeps) {
  return { ...deps, canBuy: deps.scaling.canBuy, onDecision: deps.scaling.decided };
}
