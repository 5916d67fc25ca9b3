/** Liveness, readiness and metrics: what an orchestrator, a load balancer and Prometheus ask. Public, and never from a cache. */
import { z } from "zod";
import type { HttpApp, HttpDeps } from "./http-deps.js";

const readinessOut = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  checks: z.record(z.string(), z.boolean()),
});

export function addHealth(app: HttpApp, deps: HttpDeps): void {
  app.addHook("onRequest", (_request, reply, done) => {
    void reply.header("cache-control", "no-store");
    done();
  });
  app.get(
    "/healthz",
    {
      schema: {
        summary: "Whether the process answers",
        tags: ["Operations"],
        response: { 200: z.object({ status: z.literal("ok") }) },
      },
    },
    () => ({ status: "ok" as const }),
  );
  app.get(
    "/readyz",
    {
      schema: {
        summary: "Whether traffic should be sent here",
        description: "503 while something it needs is away, and while the service is stopping.",
        tags: ["Operations"],
        response: { 200: readinessOut, 503: readinessOut },
      },
    },
    async (_request, reply) => {
      const draining = deps.isDraining();
      const { ready, checks } = await deps.readiness();
      const isReady = ready && !draining;
      return reply.code(isReady ? 200 : 503).send({ ready: isReady, draining, checks });
    },
  );
  app.get(
    "/metrics",
    { schema: { summary: "Metrics in Prometheus' text format", tags: ["Operations"], produces: ["text/plain"] } },
    async (_request, reply) => {
      const text = await deps.metrics.metrics();
      return reply.type(deps.metrics.contentType).send(text);
    },
  );
}
