/** One line and one measurement a request. Never a query string or a body: they hold callers' numbers (webhooks) and visitors' pages. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { HttpDeps } from "./http-deps.js";
import type { HttpMetrics } from "./http-metrics.js";

/** An unknown path is logged as it came, and anybody can send a long one. */
const PATH_CHARS_MAX = 200;
/** Answered all the time and counted by metrics: their successes are told at level debug only. */
const FREQUENT_ROUTES = new Set([
  "/v1/presentations",
  "/v1/presentations/renew",
  "/api/:date/ring_pools/:pool/allocate_number.json",
  "/api/:date/ring_pools/:pool/allocate_number.xml",
  "/api/:date/ring_pools/:pool/allocate_number.csv",
  "/api/:date/bulk.json",
  "/healthz",
  "/readyz",
  "/metrics",
]);

export function addAccessLog(app: FastifyInstance, deps: Pick<HttpDeps, "log">, metrics: HttpMetrics): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = request.is404 ? "unmatched" : (request.routeOptions.url ?? "unmatched");
    metrics.requestDone({ method, route, status }, elapsedTime / 1000);
    const write = status < 400 && FREQUENT_ROUTES.has(route) ? deps.log.debug : deps.log.info;
    write("http.request", {
      requestId: request.id,
      method,
      path: pathOf(request),
      status,
      ms: Math.round(elapsedTime * 10) / 10,
      ...(request.principal === null ? {} : { keyId: request.principal.keyId }),
    });
    done();
  });
}

function pathOf(request: FastifyRequest): string {
  return (request.url.split("?", 1)[0] ?? "").slice(0, PATH_CHARS_MAX);
}
