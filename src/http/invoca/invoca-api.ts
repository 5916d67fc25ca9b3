/**
 * The Invoca-compatible API, below /api: existing integrations move by changing the host (docs/invoca.md). Everything here is a translation over use-cases
 * that /v1 has too. Called by the server; answers and refuses in Invoca's shapes, also for paths that do not exist.
 */
import type { HttpApp, HttpDeps } from "../http-deps.js";
import type { HttpMetrics } from "../http-metrics.js";
import { acceptJson } from "../json-body.js";
import { refuseUnsafeText } from "../unsafe-request.js";
import { addAllocateRoutes } from "./allocate-routes.js";
import { addBulkRoute } from "./bulk-route.js";
import { addCurrentCallRoutes } from "./current-call-routes.js";
import { addDestinationRoutes } from "./destination-routes.js";
import { authenticateInvoca } from "./invoca-auth.js";
import { InvocaError, invocaErrorOf, sendInvocaError } from "./invoca-error.js";
import { addPromoNumberRoutes } from "./promo-number-routes.js";
import { addRingPoolRoutes } from "./ring-pool-routes.js";
import { addSignalRoutes } from "./signal-routes.js";
import { addTransactionRoutes } from "./transaction-routes.js";

/** @param api registered with the prefix /api */
export function addInvocaApi(api: HttpApp, deps: HttpDeps, metrics: Pick<HttpMetrics, "presented">): void {
  // Fields that are not known are ignored here.
  acceptJson(api, ["application/json"], () => {});
  api.setErrorHandler((error, request, reply) => {
    const format = request.routeOptions.config?.invocaErrors ?? "envelope";
    return sendInvocaError(reply, invocaErrorOf(deps, error, request), format);
  });
  api.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    return sendInvocaError(
      reply,
      new InvocaError("RecordNotFound", `There is no ${request.method} ${path}`),
      "envelope",
    );
  });
  api.addHook("onRequest", (_request, reply, done) => {
    void reply.header("cache-control", "no-store");
    done();
  });
  api.addHook("preValidation", (request, _reply, done) => {
    const { date } = request.params as { date?: string };
    done(request.is404 || date === undefined || isVersion(date) ? undefined : unknownVersion(date));
  });
  api.register(async (scope: HttpApp) => {
    addAllocateRoutes(scope, deps, metrics);
    addBulkRoute(scope, deps, metrics);
  });
  api.register(async (scope: HttpApp) => {
    refuseUnsafeText(scope);
    scope.addHook("preValidation", authenticateInvoca(deps));
    addRingPoolRoutes(scope, deps);
    addPromoNumberRoutes(scope, deps);
    addDestinationRoutes(scope, deps);
    addTransactionRoutes(scope, deps);
    addSignalRoutes(scope, deps);
    addCurrentCallRoutes(scope, deps);
  });
}

/** Clients in the wild send versions of 2012 to 2026, and the shapes they got differ little: any date will do. */
function isVersion(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(text);
  return ms > 0 && new Date(ms).toISOString().startsWith(text);
}

function unknownVersion(text: string): InvocaError {
  return new InvocaError("InvalidInput", `'${text}' is no API version; send a date such as 2022-08-01`, {
    status: 400,
  });
}
