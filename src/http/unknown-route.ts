/** 404 for a path that does not exist, 405 with Allow for one that does under other methods. */
import type { FastifyInstance } from "fastify";
import { AppError } from "../kernel/errors.js";
import { sendAppError } from "./problem.js";

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Call before any route is added. */
export function addUnknownRoutes(app: FastifyInstance): void {
  const known = new Map<string, KnownPath>();
  app.addHook("onRoute", ({ url, method }) => {
    const path = known.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const one of [method].flat()) path.methods.add(one.toUpperCase());
    known.set(url, path);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const methods = [...known.values()].filter(({ pattern }) => pattern.test(path)).flatMap((one) => [...one.methods]);
    if (methods.length === 0) return sendAppError(reply, nothingHere());
    const allow = [...new Set(methods)].sort().join(", ");
    void reply.header("allow", allow);
    return sendAppError(reply, new AppError("method_not_allowed", `This path takes ${allow}.`));
  });
}

/** The router lets a parameter be empty (`/v1/calls/`); that names nothing, and is no value that a client got wrong. */
export function refuseEmptySegments(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    done(Object.values(request.params as Record<string, string>).includes("") ? nothingHere() : undefined);
  });
}

function nothingHere(): AppError {
  return new AppError("not_found", "There is nothing at this path; /docs lists what there is.");
}

/** `/v1/pools/:id` → one segment for each parameter; a wildcard takes the rest. */
function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/:[^/]+/g, "[^/]+").replace(/\*/g, ".*")}$`);
}
