/**
 * The HTTP server: what every request passes on its way in and out, and which scopes there are. Public: health, documentation, presentations, and the
 * adapters given by the composition root. Behind a key: the API. Closing lets running requests finish.
 */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { messageOf } from "../kernel/errors.js";
import { BotTally } from "../pool/bot-tally.js";
import { addAccessLog } from "./access-log.js";
import { authenticate } from "./auth.js";
import { addClosing } from "./closing.js";
import { answerClientError } from "./client-error.js";
import { addHealth } from "./health.js";
import type { HttpApp, HttpDeps } from "./http-deps.js";
import { createHttpMetrics, type HttpMetrics } from "./http-metrics.js";
import { addInvocaApi } from "./invoca/invoca-api.js";
import { addIdempotency } from "./idempotency.js";
import { acceptJson } from "./json-body.js";
import { addOpenApi } from "./openapi.js";
import { appErrorOf, sendAppError, sendProblem } from "./problem.js";
import { addAccountRoutes } from "./routes/accounts.js";
import { addCallReportRoutes } from "./routes/call-reports.js";
import { addCallExportRoutes } from "./routes/call-exports.js";
import { addCallRoutes } from "./routes/calls.js";
import { addCarrierRoutes } from "./routes/carriers.js";
import { addCorrectionRoutes } from "./routes/corrections.js";
import { addDestinationRoutes } from "./routes/destinations.js";
import { addFetchPageRoute } from "./routes/fetch-page.js";
import { addInterceptRoutes } from "./routes/intercepts.js";
import { addInventoryRoutes } from "./routes/inventory.js";
import { addNumberRoutes } from "./routes/numbers.js";
import { addPoolNumberRoutes } from "./routes/pool-numbers.js";
import { addPoolScalingRoutes } from "./routes/pool-scaling.js";
import { addPoolRoutes } from "./routes/pools.js";
import { addPresentationLogRoutes } from "./routes/presentation-log.js";
import { addPresentationRoutes } from "./routes/presentations.js";
import { addPrivacyRoutes } from "./routes/privacy.js";
import { addReportRoutes } from "./routes/reports.js";
import { addSettingsRoutes } from "./routes/settings.js";
import { addStaticNumberRoutes } from "./routes/static-numbers.js";
import { addSizingRoutes } from "./routes/sizing.js";
import { addTagRoutes } from "./routes/tag.js";
import { addTagDelivery } from "./routes/tag-delivery.js";
import { addTrunkRoutes } from "./routes/trunks.js";
import { addUsageRoutes } from "./routes/usage.js";
import { addDeliveryRoutes } from "./routes/webhook-deliveries.js";
import { addWebhookEndpointRoutes } from "./routes/webhook-endpoints.js";
import { TagCache } from "./tag/tag-cache.js";
import { TagFiles } from "./tag/tag-files.js";
import { refuseUnknownQueries, refuseUnsafeText } from "./unsafe-request.js";
import { addUnknownRoutes, refuseEmptySegments } from "./unknown-route.js";
import { serializerCompiler, validatorCompiler } from "./validation.js";

/** Routes that take more say so. */
const BODY_BYTES_MAX = 1_048_576;
/** From the first byte to the last of a request: slower senders hold a socket, not a conversation. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Node looks for slow senders every 30 s unless told otherwise, and takes the longer of two limits for the request's: a minute and a half in all. */
const SLOW_SENDERS_EVERY_MS = 2_000;
/**
 * Nothing moved on a connection for so long: whoever asks for much and reads none of it would hold the answer, and its connection, for ever. Above what any
 * request works in silence: an export's page, an order of numbers, a page that is fetched take ten seconds each.
 */
const CONNECTION_IDLE_MS_MAX = 120_000;
/** Above the idle timeout of usual load balancers (60 s), so that they, not we, close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Ids and numbers are shorter; the longest path parameter we have is a SIP trunk's name. */
const PATH_PARAMETER_CHARS_MAX = 200;

/** @returns the app, not listening yet. `app.close()` finishes running requests; it closes nothing that was given in `deps`. */
export function buildHttpServer(deps: HttpDeps): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: SLOW_SENDERS_EVERY_MS },
    connectionTimeout: CONNECTION_IDLE_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // While closing, what still arrives on open connections is served like the rest.
    return503OnClosing: false,
    trustProxy: false,
    requestIdHeader: false,
    genReqId: requestIds(deps),
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void answerError(deps, error, request, reply),
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARS_MAX },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
  app.decorateRequest("principal", null);
  addUnknownRoutes(app);
  addClosing(app);
  app.addHook("onRequest", (request, reply, done) => {
    void reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    done();
  });
  const metrics = createHttpMetrics(deps.metrics, () => deps.batch.waiting);
  addAccessLog(app, deps, metrics);
  addOpenApi(app, deps);
  addScopes(app, deps, { metrics, bots: new BotTally(deps) });
  return app;
}

/** One random id a process and a count: sortable and unique as well, and four times cheaper than drawing bytes for each request. */
function requestIds(deps: Pick<HttpDeps, "ids">): () => string {
  const process = deps.ids.next("req");
  let count = 0;
  return () => `${process}-${(++count).toString(36).padStart(6, "0")}`;
}

function addScopes(app: FastifyInstance, deps: HttpDeps, watch: { metrics: HttpMetrics; bots: BotTally }): void {
  const files = new TagFiles(deps.db, deps.tagFile);
  const cache = new TagCache({ ...deps, files });
  app.addHook("onClose", () => watch.bots.stop());
  app.register(async (scope: HttpApp) => addTagDelivery(scope, deps, { cache, files, metrics: watch.metrics }));
  app.register(async (scope: HttpApp) => addHealth(scope, deps));
  app.register(async (scope: HttpApp) => addPresentationRoutes(scope, deps, watch));
  app.register(async (scope: HttpApp) => addApi(scope, deps, { bots: watch.bots, files }));
  app.register(async (scope: HttpApp) => addInvocaApi(scope, deps, watch.metrics), { prefix: "/api" });
  for (const plugin of deps.plugins) app.register(plugin);
}

function addApi(scope: HttpApp, deps: HttpDeps, { bots, files }: { bots: BotTally; files: TagFiles }): void {
  acceptJson(scope, ["application/json"]);
  refuseUnsafeText(scope);
  refuseUnknownQueries(scope);
  refuseEmptySegments(scope);
  scope.addHook("onRequest", authenticate(deps));
  scope.addHook("onRequest", (_request, reply, done) => {
    void reply.header("cache-control", "no-store");
    done();
  });
  addIdempotency(scope, deps);
  addAccountRoutes(scope, deps);
  addTagRoutes(scope, { ...deps, files });
  addNumberRoutes(scope, deps);
  addDestinationRoutes(scope, deps);
  addPoolRoutes(scope, deps);
  addPoolNumberRoutes(scope, deps);
  addPoolScalingRoutes(scope, deps);
  addSizingRoutes(scope, deps);
  addPresentationLogRoutes(scope, deps);
  addCallRoutes(scope, deps);
  addCorrectionRoutes(scope, deps);
  addPrivacyRoutes(scope, deps);
  addCallExportRoutes(scope, deps);
  addInterceptRoutes(scope, deps);
  addReportRoutes(scope, deps, bots);
  addCallReportRoutes(scope, deps);
  addSettingsRoutes(scope, deps);
  addTrunkRoutes(scope, deps);
  addCarrierRoutes(scope, deps);
  addInventoryRoutes(scope, deps);
  addStaticNumberRoutes(scope, deps);
  addUsageRoutes(scope, deps);
  addWebhookEndpointRoutes(scope, deps);
  addDeliveryRoutes(scope, deps);
  addFetchPageRoute(scope, deps);
}

function answerError(deps: HttpDeps, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = appErrorOf(error);
  if (known !== null) {
    if (known.status >= 500) {
      deps.log.warn("http.unavailable", {
        requestId: request.id,
        code: known.code,
        error: messageOf(known.cause ?? known),
      });
    }
    return sendAppError(reply, known);
  }
  deps.log.error("http.failed", { requestId: request.id, route: request.routeOptions?.url ?? "unmatched", error });
  return sendProblem(reply, {
    type: "urn:ringmatch:problem:internal",
    title: "Something failed on our side",
    status: 500,
    code: "internal",
    detail: `Look for ${request.id} in the log of the service.`,
  });
}
