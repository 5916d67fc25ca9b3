/**
 * Errors as clients see them: application/problem+json (RFC 9457) with a stable `code`. Knows AppErrors, Fastify's own refusals, and turns everything
 * else into a 500 that says nothing but the request's id.
 */
import type { FastifyReply } from "fastify";
import { sqlState } from "../db/database.js";
import { AppError, type FieldError } from "../kernel/errors.js";

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
}

export const PROBLEM_TYPE = "application/problem+json";

/** An outage of ours is rarely over within a second, and rarely lasts long. */
const RETRY_AFTER_S_DEFAULT = 5;

/** The AppError a thrown thing amounts to; null when it is a fault of ours that no client can do anything about. */
export function appErrorOf(error: unknown): AppError | null {
  if (error instanceof AppError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  switch (code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new AppError("unsupported_media_type", "Send the body as application/json.", { cause: error });
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new AppError("too_large", "Send a smaller body; the documentation of each route names its limit.", {
        cause: error,
      });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new AppError("unreadable_body", "The body is empty; JSON was announced.", { cause: error });
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return new AppError("unreadable_body", "The body is no valid JSON.", { cause: error });
  }
  if (isInterrupted(error)) {
    return new AppError("overloaded", "The database did not finish in time; nothing was changed.", {
      cause: error,
      retryAfterS: 1,
    });
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status !== "number" || status < 400 || status >= 500) return null;
  return new AppError("unreadable_body", "The request could not be read.", { cause: error });
}

export function problemOf(error: AppError): Problem {
  const { title, status, code, message: detail, fields } = error;
  const problem = { type: `urn:ringmatch:problem:${code}`, title, status, code, detail };
  return fields.length === 0 ? problem : { ...problem, errors: fields };
}

export function sendAppError(reply: FastifyReply, error: AppError): FastifyReply {
  if (error.status === 401) void reply.header("www-authenticate", 'Bearer realm="ringmatch"');
  const isTemporary = error.status === 503 || error.status === 429;
  const retryAfterS = error.retryAfterS ?? (isTemporary ? RETRY_AFTER_S_DEFAULT : null);
  if (retryAfterS !== null) void reply.header("retry-after", String(retryAfterS));
  return sendProblem(reply, problemOf(error));
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** Statement timeout, lock timeout, deadlock, serialization: another attempt may well succeed. */
function isInterrupted(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && ["57014", "55P03", "40P01", "40001"].includes(state);
}
