/**
 * `/v1/numbers/:number/fallback`: a number's static answer, asked by its carrier when the voice webhook failed, without a key or signature. Answered from
 * memory, so that it works with PostgreSQL away. It tells whom a number rings, as calling it does. Registered by the HTTP server.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { CARRIERS } from "../../account/carrier-credentials.store.js";
import { AppError } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { RoutedNumber } from "../../routing/routed-numbers.store.js";
import type { RoutingTable } from "../../routing/routing-table.js";
import { parseE164 } from "../../telephony/e164.js";
import type { CarrierAdapter } from "./carrier-adapter.js";
import { carrierOf, DEFAULT_CARRIER, documentAdapter, fallbackDocument } from "./fallback-document.js";
import { WEBHOOK_BYTES_MAX } from "./inbound-route.js";
import { STEP_LIMIT_MS, within } from "./within.js";

export interface FallbackDeps {
  readonly table: Pick<RoutingTable, "find" | "read">;
  readonly log: Log;
  /** Takes one of an address's requests; false when it has none left. */
  readonly isWithinLimit: (address: string) => boolean;
}

const params = z.strictObject({
  number: z
    .string()
    .refine((text) => parseE164(text) !== null, "must be an E.164 number, e.g. +18885550100")
    .meta({ description: "E.164", examples: ["+18885550100"] }),
});

/** Not strict: a carrier that asks by GET appends the call's fields. */
const query = z.object({
  carrier: z.enum(CARRIERS).optional().meta({
    description:
      "In whose language; when not given, the carrier of the number's credential, twilio where that is not known",
  }),
});

const documents = {
  description: "The document, in the carrier's language",
  content: { "text/xml": { schema: z.string() }, "application/json": { schema: z.unknown() } },
};

const schema = {
  description:
    "Public: carriers ask for it without a key, by GET or POST, when the voice webhook fails; set it as the number's fallback URL. It rings the number's business, and is answered with the database away. A number of ours that rings no business is announced as not in service, with status 200; 404 for numbers that are none of ours; 422 for a carrier that takes no documents (docs/carriers.md). 6,000 a minute an address; above it 503 with Retry-After.",
  tags: ["Numbers"],
  params,
  querystring: query,
  response: { 200: documents },
};

/** Throws AppErrors to the enclosing error handler: invalid_value, not_found, overloaded, database_unavailable. */
export function numberFallback(deps: FallbackDeps, adapters: readonly CarrierAdapter[]): FastifyPluginAsync {
  return async (scope: FastifyInstance) => {
    const app = scope.withTypeProvider<ZodTypeProvider>();
    // What a carrier posts along is not needed, and may be of any kind.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: WEBHOOK_BYTES_MAX }, (_request, _body, done) =>
      done(null),
    );
    for (const { method, summary } of METHODS) {
      app.route({
        method,
        url: "/v1/numbers/:number/fallback",
        schema: { summary, ...schema },
        handler: async (request, reply) => {
          if (!deps.isWithinLimit(request.ip)) {
            throw new AppError("overloaded", "This address asks for too many fallback documents.", { retryAfterS: 1 });
          }
          return answer(deps, reply, { adapters, number: request.params.number, asked: request.query.carrier ?? null });
        },
      });
    }
  };
}

const METHODS = [
  { method: "GET", summary: "What a carrier does with a call while we cannot answer" },
  { method: "POST", summary: "The same, for carriers that post" },
] as const;

async function answer(
  deps: FallbackDeps,
  reply: FastifyReply,
  input: { adapters: readonly CarrierAdapter[]; number: string; asked: (typeof CARRIERS)[number] | null },
): Promise<FastifyReply> {
  const number = await numberOf(deps, input.number);
  if (number === null) throw new AppError("not_found", "This is none of our numbers.");
  const carrier = input.asked ?? carrierOf(number) ?? DEFAULT_CARRIER;
  const adapter = documentAdapter(input.adapters, carrier);
  if (adapter === null) {
    const message = `${carrier} takes no document that could stand in for an answer; set another number or trunk as its failover.`;
    throw new AppError("invalid_value", message, { fields: [{ path: "carrier", message: "takes no documents" }] });
  }
  const { contentType, text } = fallbackDocument(adapter, number);
  // A business that moved is not rung at its former number.
  return reply.type(contentType).header("cache-control", "no-store").send(text);
}

/** Memory first; a number added in this very moment is in the database alone. @throws AppError("database_unavailable") */
async function numberOf({ table, log }: FallbackDeps, e164: string): Promise<RoutedNumber | null> {
  const known = table.find(e164);
  if (known !== null) return known;
  const read = await within(log, { step: "fallback_number", ms: STEP_LIMIT_MS }, table.read(e164));
  if (read === null) throw new AppError("database_unavailable", "Whether the number is ours is not known right now.");
  return read.value;
}
