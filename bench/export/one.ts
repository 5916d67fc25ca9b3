/** One export in a process of its own, for bench/export.ts: `one.js FORMAT FROM TO OUT`. CSV and NDJSON over HTTP to itself, Parquet as the command. */
import { createWriteStream } from "node:fs";
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import Fastify from "fastify";
import { exportCommand } from "../../src/cli/export.js";
import { openDatabase } from "../../src/db/database.js";
import { addCallExportRoutes } from "../../src/http/routes/call-exports.js";
import type { HttpApp, HttpDeps } from "../../src/http/http-deps.js";
import { serializerCompiler, validatorCompiler } from "../../src/http/validation.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { createSecrets } from "../../src/kernel/secrets.js";

const [format = "", from = "", to = "", out = ""] = process.argv.slice(2);

if (format === "parquet") {
  await exportCommand.run(["--from", from, "--to", to, "--format", format, "--out", out]);
} else {
  await overHttp();
}
// Until its peak was read.
await new Promise((answered) => {
  process.once("message", answered);
  process.send?.("done");
});
process.exit(0);

async function overHttp(): Promise<void> {
  const db = openDatabase({ url: process.env["DATABASE_URL"] ?? "", log: silentLog });
  const app = Fastify({ logger: false }) as unknown as HttpApp;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("principal", null);
  app.addHook("onRequest", async (request) => {
    request.principal = { keyId: "bench", accountId: null, scopes: ["read"] };
  });
  const secrets = createSecrets("a secret for the benchmark only", systemRandom);
  addCallExportRoutes(app, { db, secrets, clock: systemClock, log: silentLog } as unknown as HttpDeps);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v1/calls.${format}?from=${from}&to=${to}`;
  await new Promise<void>((done, failed) => {
    get(url, (response) => {
      if (response.statusCode !== 200) return failed(new Error(`answered ${response.statusCode}`));
      pipeline(response, createWriteStream(out)).then(done, failed);
    }).once("error", failed);
  });
}
