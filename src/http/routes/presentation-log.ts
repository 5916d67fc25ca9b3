/** `GET /v1/presentations`: the append-only log of who was presented which number when. */
import { listPresentations } from "../../pool/presentations.store.js";
import { accountToRead, principalOf } from "../auth.js";
import { loggedPresentationOut, presentationQuery, showLogged } from "../contract/presentation.js";
import { pageOut } from "../contract/scalars.js";
import { beforeExactTime, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const LIST = "presentations";

export function addPresentationLogRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/presentations",
    {
      config: { access: "read" },
      schema: {
        summary: "The presentation log, newest first",
        tags: ["Presentations"],
        querystring: presentationQuery,
        response: { 200: pageOut(loggedPresentationOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked, number, visitor_id: visitorId, from, to } = request.query;
      const rows = await listPresentations(deps.db, {
        accountId: accountToRead(principalOf(request), asked),
        promoNumber: number ?? null,
        visitorId: visitorId ?? null,
        from: from ?? null,
        to: to ?? null,
        before: beforeExactTime(LIST, cursor),
        limit: limit + 1,
      });
      return pageOf(LIST, { rows, limit, positionOf: (row) => [row.presentedAtExact, row.id], show: showLogged });
    },
  );
}
