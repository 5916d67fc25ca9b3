/** Paths and queries are checked for text that cannot be read or stored, as bodies are (json-body.ts), and queries for fields that no route knows. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { AppError } from "../kernel/errors.js";
import { unsafeTextIn } from "./safe-text.js";

export function refuseUnsafeText(app: FastifyInstance): void {
  app.addHook("preValidation", (request, _reply, done) => {
    // Only an escape can bring such text into a URL.
    if (!request.url.includes("%")) return done();
    // A path that cannot be decoded finds no route; the query's parser leaves such a text as it is, which would be looked for.
    if (!isDecodable(request.url)) return done(new AppError("unreadable_body", "The URL's escapes are no UTF-8."));
    const fields = [...unsafeTextIn(request.params), ...unsafeTextIn(request.query)];
    if (fields.length === 0) return done();
    done(new AppError("invalid_value", "The URL holds text that cannot be stored; see errors.", { fields }));
  });
}

/** A route that names no query fields takes none. Call before any route of the scope is added. */
export function refuseUnknownQueries(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    route.schema = { querystring: z.strictObject({}), ...route.schema };
  });
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
