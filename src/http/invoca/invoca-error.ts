/**
 * Refusals in Invoca's words: `{"errors":{"class":…,"invalid_data":…}}`, or `{"errors":{field:[…]}}` for fields. allocate_number tells them as plain text or
 * XML instead. 403 is what Invoca says for arguments that are wrong as well as for what is not allowed.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { messageOf } from "../../kernel/errors.js";
import { element, xmlDocument } from "../../kernel/xml.js";
import type { HttpDeps } from "../http-deps.js";
import { appErrorOf } from "../problem.js";

/** text: `Class: message`, as allocate_number.json and .csv say it. */
export type ErrorFormat = "envelope" | "text" | "xml";

declare module "fastify" {
  interface FastifyContextConfig {
    /** envelope when not given */
    invocaErrors?: ErrorFormat;
  }
}

export type ErrorClass =
  | "RecordNotFound"
  | "RecordInvalid"
  | "InvalidInput"
  | "InvalidKey"
  | "Unauthorized"
  | "UnauthorizedOperation"
  | "UnauthorizedAdvertiser"
  | "InternalServiceError";

const STATUS: Readonly<Record<ErrorClass, number>> = {
  RecordNotFound: 404,
  RecordInvalid: 403,
  InvalidInput: 403,
  InvalidKey: 403,
  Unauthorized: 401,
  UnauthorizedOperation: 403,
  UnauthorizedAdvertiser: 403,
  InternalServiceError: 500,
};

export type FieldMessages = Readonly<Record<string, readonly string[]>>;

/** Thrown by this API's routes, caught by their error handler. */
export class InvocaError extends Error {
  override readonly name = "InvocaError";

  constructor(
    readonly errorClass: ErrorClass,
    message: string,
    readonly details: { readonly status?: number; readonly fields?: FieldMessages; readonly retryAfterS?: number } = {},
  ) {
    super(message);
  }

  get status(): number {
    return this.details.status ?? STATUS[this.errorClass];
  }
}

export function invalidFields(fields: FieldMessages): InvocaError {
  const text = Object.entries(fields).flatMap(([name, messages]) => messages.map((message) => `${name} ${message}`));
  return new InvocaError("RecordInvalid", text.join("; "), { fields });
}

/** Any fault in Invoca's words; one of ours gets a handle that stands in the log. */
export function invocaErrorOf(
  deps: Pick<HttpDeps, "clock" | "log">,
  error: unknown,
  request: FastifyRequest,
): InvocaError {
  if (error instanceof InvocaError) return error;
  const known = appErrorOf(error);
  const retryAfterS = known?.retryAfterS ?? undefined;
  if (known === null || known.status >= 500) return internal(deps, error, request, retryAfterS);
  const fields = known.fields.map(({ path, message }) => (path === "" ? message : `${path} ${message}`));
  const message = [known.message, ...fields].join(" ");
  switch (known.status) {
    case 400:
    case 413:
    case 415:
      return new InvocaError("InvalidInput", message, { status: known.status });
    case 401:
      return new InvocaError("Unauthorized", message);
    case 403:
      return new InvocaError(
        "UnauthorizedOperation",
        "You do not have permissions to perform the requested operation.",
      );
    case 404:
      return new InvocaError("RecordNotFound", message);
    default:
      return new InvocaError("RecordInvalid", message);
  }
}

function internal(
  deps: Pick<HttpDeps, "clock" | "log">,
  error: unknown,
  request: FastifyRequest,
  retryAfterS: number | undefined,
): InvocaError {
  const known = appErrorOf(error);
  const handle = Math.floor(deps.clock.now() / 1000);
  const fields = { requestId: request.id, handle, route: request.routeOptions?.url ?? "unmatched" };
  if (known === null) deps.log.error("http.failed", { ...fields, error });
  else deps.log.warn("http.unavailable", { ...fields, code: known.code, error: messageOf(known.cause ?? known) });
  const status = known?.status ?? 500;
  const details = retryAfterS === undefined ? { status } : { status, retryAfterS };
  return new InvocaError("InternalServiceError", `refer to error handle ${handle}`, details);
}

export function sendInvocaError(reply: FastifyReply, error: InvocaError, format: ErrorFormat): FastifyReply {
  const { errorClass, message, status, details } = error;
  void reply.code(status);
  if (details.retryAfterS !== undefined) void reply.header("retry-after", String(details.retryAfterS));
  switch (format) {
    case "text":
      return reply.type("text/plain; charset=utf-8").send(`${errorClass}: ${message}`);
    case "xml": {
      const root = element("Error", {}, [element("Class", {}, [errorClass]), element("Message", {}, [message])]);
      return reply.type("application/xml; charset=utf-8").send(xmlDocument(root));
    }
    case "envelope": {
      const errors = details.fields ?? { class: errorClass, invalid_data: message };
      return reply.type("application/json; charset=utf-8").send(JSON.stringify({ errors }));
    }
  }
}
