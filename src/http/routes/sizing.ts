/** `GET /v1/pools/:id/sizing`: what a pool's size costs in overflow and wrong matches, from its own log, and what size it should have. */
import { sizePool } from "../../pool/pool-sizing.js";
import { showSizing, sizingOut, sizingQuery } from "../contract/sizing.js";
import { idParams } from "../contract/scalars.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { readablePool } from "../readable-pool.js";

export function addSizingRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/pools/:id/sizing",
    {
      config: { access: "read" },
      schema: {
        summary: "How many numbers a pool should have",
        description:
          "Overflow by Erlang B, wrong matches by the retention horizon over the pool's measured call delays, for every sensible size; visitors who were turned away leave no row, so a pool that is often full asks for less than it needs until it has grown. Null where nothing was measured.",
        tags: ["Pools"],
        params: idParams,
        querystring: sizingQuery,
        response: { 200: sizingOut },
      },
    },
    async (request) => {
      const { query } = request;
      const pool = await readablePool(deps, request, request.params.id);
      const targets = { overflowShare: query.target_overflow, protectedShare: query.protect };
      const sizing = await sizePool(deps.db, { pool, windowS: query.window_s, targets });
      return showSizing({ pool, query, sizing });
    },
  );
}
