/** Reads JSON bodies: valid UTF-8, valid JSON, no prototype tricks, no text that cannot be stored. Used for every scope of ours. */
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../kernel/errors.js";
import { unsafeTextIn } from "./safe-text.js";

/** Replaces Fastify's own parsers (its text/plain would hand a string to the schemas) for the given content types. */
export function acceptJson(app: FastifyInstance, contentTypes: readonly string[]): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...contentTypes], { parseAs: "buffer" }, (request: FastifyRequest, bytes: Buffer, done) => {
    // Clients that put a content type on everything: a DELETE has no body here.
    if (bytes.length === 0 && request.method === "DELETE") return done(null, undefined);
    if (!isUtf8(bytes)) return done(new AppError("unreadable_body", "The body must be UTF-8."));
    const text = bytes.toString("utf8");
    void parse(request, text, (error, body) => {
      if (error) return done(error);
      // Raw control characters are no JSON and UTF-8 has no surrogates: only an escape can bring either in.
      const unsafe = text.includes("\\u") ? unsafeTextIn(body) : [];
      if (unsafe.length === 0) return done(null, body);
      done(new AppError("invalid_value", "Some text cannot be stored; see errors.", { fields: unsafe }));
    });
  });
}
