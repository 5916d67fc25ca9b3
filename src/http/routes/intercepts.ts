/** `GET /v1/intercepts`: calls taken on numbers that no business holds. For the platform: they belong to no account. */
import { type Intercept, listIntercepts } from "../../pool/intercepts.store.js";
import { interceptOut, interceptQuery, showIntercept } from "../contract/intercept.js";
import { pageOut } from "../contract/scalars.js";
import { beforeInstant, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";

const LIST = "intercepts";

export function addInterceptRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/intercepts",
    {
      config: { access: "admin" },
      schema: {
        summary: "List intercepted calls, newest first",
        tags: ["Numbers"],
        querystring: interceptQuery,
        response: { 200: pageOut(interceptOut) },
      },
    },
    async (request) => {
      const { limit, cursor, number } = request.query;
      const before = beforeInstant(LIST, cursor);
      const rows = await listIntercepts(deps.db, { promoNumber: number ?? null, before, limit: limit + 1 });
      const view = callerView(deps, request);
      const show = (one: Intercept) =>
        showIntercept(one, view.show({ callId: one.callId, enc: one.callerEnc, last4: one.callerLast4 }));
      const page = pageOf(LIST, { rows, limit, positionOf: ({ at, id }) => [at, id], show });
      await view.audit();
      return page;
    },
  );
}
