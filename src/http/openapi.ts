/** `/openapi.json` (OpenAPI 3.1), made from the schemas that requests are checked with, and `/docs`, which shows it with assets of its own. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { createJsonSchemaTransform } from "fastify-type-provider-zod";
import { ERROR_CATALOGUE } from "../kernel/errors.js";
import type { Access } from "./auth.js";
import type { HttpDeps } from "./http-deps.js";
import { PROBLEM_TYPE } from "./problem.js";

const DESCRIPTION = `Self-hosted call tracking and routing.

Authentication: \`Authorization: Bearer <key>\`. The admin key reaches everything, an account's key only its own account; what belongs to another account is 404.
Numbers are E.164, times ISO 8601 UTC with milliseconds, ids prefixed and sortable.
Unknown fields in a body or query are a 422, except under /v1/presentations, where they are ignored and counted.
Lists: \`limit\` (500 at most) and \`cursor\`, the \`next_cursor\` of the page before.
POSTs with a key accept \`Idempotency-Key\`: the same key and request within a day get the first answer again, with \`idempotency-replayed: true\`; another request under that key is a 409. Answers 2xx and 4xx are kept, except those to requests that do not fit their schema.
Errors are ${PROBLEM_TYPE} with a stable \`code\`.`;

const PROBLEM_REF = { $ref: "#/components/schemas/Problem" };
const PROBLEM_RESPONSE = { description: "Problem", content: { [PROBLEM_TYPE]: { schema: PROBLEM_REF } } };

/** Of a route that does not say what it answers; type null: nothing is said of the body. */
const ANY_RESPONSE = { 200: { type: "null", description: "Default Response" } };

/** Paths that answer problems; those of the tag's scripts say themselves what they answer instead. */
const REFUSING = /^\/(v1|webhooks|tag)\//;

const PROBLEM_SCHEMA = {
  type: "object",
  required: ["type", "title", "status", "code", "detail"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", examples: Object.keys(ERROR_CATALOGUE) },
    detail: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
  },
} as const;

/** Everything on the page comes from this server; the page's own start script is allowed by its hash. */
const DOCS_CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'; base-uri 'self'";

export function addOpenApi(app: FastifyInstance, deps: Pick<HttpDeps, "publicBaseUrl">): void {
  app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Ringmatch",
        version: "1",
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: deps.publicBaseUrl ?? "/" }],
      components: {
        securitySchemes: { key: { type: "http", scheme: "bearer" } },
        schemas: { Problem: structuredClone(PROBLEM_SCHEMA) as never },
      },
    },
    transform: describeRoute,
  });
  app.register(swaggerUi, { routePrefix: "/docs", staticCSP: DOCS_CSP });
  app.register(async (scope) => {
    scope.get("/openapi.json", { schema: { summary: "This document", tags: ["Operations"] } }, () => app.swagger());
  });
}

const toJsonSchema = createJsonSchemaTransform({
  zodToJsonConfig: { override: ({ jsonSchema }) => dropSafeRange(jsonSchema) },
});

/** zod writes the range of safe integers into every integer: true, and of no use to a reader. */
function dropSafeRange(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

/** Adds what every route of a kind has in common: its key, its scope, its problems. */
const describeRoute: ReturnType<typeof createJsonSchemaTransform> = (document) => {
  const { schema, url } = toJsonSchema(document);
  const access = (document.route.config as { access?: Access } | undefined)?.access;
  if (schema === undefined || schema === null || (schema as { hide?: boolean }).hide === true) return { schema, url };
  const described = schema as Record<string, unknown>;
  const response = (described["response"] ?? ANY_RESPONSE) as Record<string, unknown>;
  if (REFUSING.test(url)) described["response"] = { "4xx": PROBLEM_RESPONSE, "5xx": PROBLEM_RESPONSE, ...response };
  if (access !== undefined) {
    described["security"] = [{ key: [] }];
    const scope = access === "admin" ? "`admin`, with a key of the platform" : `\`${access}\``;
    described["description"] = [described["description"], `Scope: ${scope}.`].filter(Boolean).join(" ");
  }
  return { schema: described, url };
};
