/** `POST /v1/tag/fetch_page`: the HTML of a page of the asker's choice, for the tester of `/install`, whose browser may not read other sites itself. */
import { AppError } from "../../kernel/errors.js";
import { isAdmin, principalOf } from "../auth.js";
import { fetchedPageOut, fetchPageIn } from "../contract/fetched-page.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

/** A page takes two megabytes and ten seconds at the most; nobody tests many at once. */
const FETCHES_AT_ONCE_MAX = 4;

export function addFetchPageRoute(app: HttpApp, deps: Pick<HttpDeps, "outgoing" | "embedded">): void {
  let running = 0;
  app.post(
    "/v1/tag/fetch_page",
    {
      config: { access: "write" },
      schema: {
        summary: "Fetch a page to try the tag on",
        description:
          "GET without cookies, http or https on their usual ports, public addresses or those of WEBHOOK_ALLOW_CIDRS; in embedded mode an admin key reaches loopback too. Five redirects, two megabytes of HTML and ten seconds at the most. What cannot be fetched is a 422 that says why; more than four at once a 503.",
        tags: ["Tag"],
        body: fetchPageIn,
        response: { 200: fetchedPageOut },
      },
    },
    async (request) => {
      if (running >= FETCHES_AT_ONCE_MAX) throw new AppError("overloaded", "Too many pages are fetched already.");
      const mayReachLoopback = deps.embedded && isAdmin(principalOf(request));
      running++;
      try {
        const page = await deps.outgoing.fetchPage({ url: request.body.url, mayReachLoopback });
        if (page.kind === "refused") {
          throw new AppError("invalid_value", `The page ${page.message}.`, {
            fields: [{ path: "url", message: page.message }],
          });
        }
        const { url, status, html, contentSecurityPolicy } = page;
        return { url, status, html, headers: { "content-security-policy": contentSecurityPolicy } };
      } finally {
        running--;
      }
    },
  );
}
