/** Paths and queries are checked for text that cannot be stored, as bodies are (json-body.ts). */
import type { FastifyInstance } from "fastify";
import { AppError } from "../kernel/errors.js";
import { unsafeTextIn } from "./safe-text.js";

export function refuseUnsafeText(app: FastifyInstance): void {
  app.addHook("preValidation", (request, _reply, done) => {
    // Only an escape can bring such text into a URL.
    const fields = request.url.includes("%") ? [...unsafeTextIn(request.params), ...unsafeTextIn(request.query)] : [];
    if (fields.length === 0) return done();
    done(new AppError("invalid_value", "The URL holds text that cannot be stored; see errors.", { fields }));
  });
}
