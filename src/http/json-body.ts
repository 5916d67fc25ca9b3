/** Reads JSON bodies: valid UTF-8, valid JSON, no keys that lead to prototypes, no text that cannot be stored. Used for every scope of ours. */
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../kernel/errors.js";
import { mayHoldPrototypeKeys, takePrototypeKeys } from "./prototype-keys.js";
import { unsafeTextIn } from "./safe-text.js";

/** A body of nothing else must not grow a larger answer. */
const REPORTED_MAX = 20;

/**
 * Replaces Fastify's own parsers (its text/plain would hand a string to the schemas) for the given content types.
 * @param onUnknown where fields that are not known are ignored: told the paths of those that the schemas never see. Without it they are refused
 */
export function acceptJson(
  app: FastifyInstance,
  contentTypes: readonly string[],
  onUnknown?: (paths: readonly string[]) => void,
): void {
  // Fastify's own guard calls such a body no JSON at all.
  const parse = app.getDefaultJsonParser("ignore", "ignore");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...contentTypes], { parseAs: "buffer" }, (request: FastifyRequest, bytes: Buffer, done) => {
    // Clients that put a content type on everything: a DELETE has no body here.
    if (bytes.length === 0 && request.method === "DELETE") return done(null, undefined);
    if (!isUtf8(bytes)) return done(new AppError("unreadable_body", "The body must be UTF-8."));
    const text = bytes.toString("utf8");
    void parse(request, text, (error, body) => {
      if (error) return done(error);
      // To the schemas it would be no body at all, and a PUT of that sets everything to its default.
      if (body === null) return done(nullBody());
      const taken = mayHoldPrototypeKeys(text) ? takePrototypeKeys(body) : [];
      if (taken.length > 0 && onUnknown === undefined) return done(unknownFields(taken));
      if (taken.length > 0) onUnknown?.(taken);
      // Raw control characters are no JSON and UTF-8 has no surrogates: only an escape can bring either in.
      const unsafe = text.includes("\\u") ? unsafeTextIn(body) : [];
      if (unsafe.length === 0) return done(null, body);
      done(new AppError("invalid_value", "Some text cannot be stored; see errors.", { fields: unsafe }));
    });
  });
}

function nullBody(): AppError {
  const fields = [{ path: "", message: "must be an object" }];
  return new AppError("invalid_value", "The request is not acceptable; see errors.", { fields });
}

function unknownFields(paths: readonly string[]): AppError {
  const fields = paths.slice(0, REPORTED_MAX).map((path) => ({ path, message: "unknown field" }));
  return new AppError("invalid_value", "The request is not acceptable; see errors.", { fields });
}
