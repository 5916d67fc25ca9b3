/**
 * The baseline of `bench -- present`, a process of its own: the same route under fastify and zod, body and answer checked as in the service, that does
 * nothing. Prints `{"http":"http://127.0.0.1:PORT"}` when it listens.
 */
import Fastify from "fastify";
import { presentationsIn, presentationsOut } from "../../src/http/contract/presentation.js";
import { acceptJson } from "../../src/http/json-body.js";
import { serializerCompiler, validatorCompiler } from "../../src/http/validation.js";

const app = Fastify({ logger: false });
app.setValidatorCompiler(validatorCompiler);
app.setSerializerCompiler(serializerCompiler);
acceptJson(app, ["application/json", "text/plain"]);
app.post("/v1/presentations", { schema: { body: presentationsIn, response: { 200: presentationsOut } } }, async () => ({
  visitor_id: "vis_bench000000x0000000000",
  presentations: [
    {
      presentation_id: "prs_bench000000x0000000000",
      destination_number: "+18005550000",
      promo_number: "+18882000000",
      outcome: "presented",
      locked_until: "2026-01-01T00:00:00.000Z",
      renew_after_s: 1,
    },
  ],
}));
// As many may wait to be accepted as at the service (service/http-side.ts), which this process loads nothing of.
console.log(JSON.stringify({ http: await app.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }) }));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void app.close());
