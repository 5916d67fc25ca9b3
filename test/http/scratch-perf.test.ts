import { Worker } from "node:worker_threads";
import { it } from "vitest";
import { once } from "node:events";
import { Session } from "node:inspector/promises";
import { writeFileSync } from "node:fs";
import { Registry } from "prom-client";
import { buildHttpServer } from "../../src/http/server.js";
import { freshDatabase } from "../support/database.js";
import { makeWorld } from "../support/world.js";
import { makeHttpWorld } from "./support/http-world.js";
import { createLog } from "../../src/kernel/log.js";
import { createWriteStream } from "node:fs";
const { db } = await freshDatabase();
it("perf", async () => {
  const w = await makeWorld(db, 2000, { sessionLifetimeS: 1, retentionS: 1 , overflow: "reuse_oldest"});
  for (const level of ["info","debug","info","debug"] as const) {
  const { deps } = makeHttpWorld(db, { log: createLog(level, createWriteStream("/dev/null")) });
  const app = buildHttpServer({ ...deps, metrics: new Registry() });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as { port: number };
  const session = new Session(); session.connect(); await session.post("Profiler.enable"); await session.post("Profiler.start");
  for (const [name, body] of [["present", { tag_key: w.account.tagKey, numbers: ["+18005550100"], page: { url: "https://shop.example/?utm_source=google&gclid=abc", referrer: "https://google.com/" }, custom_data: { a: "b" } }], ["notracked", { tag_key: w.account.tagKey, numbers: ["hello"], page: { url: "https://shop.example/?utm_source=google&gclid=abc" } }]] as const) {
    const worker = new Worker("/tmp/perf/client.mjs", { workerData: { port, body: JSON.stringify(body), conns: 128, seconds: 4 } });
    const [r] = await once(worker, "message");
    console.log(level, name, JSON.stringify(r));
  }
  const { profile } = await session.post("Profiler.stop");
  writeFileSync("/tmp/perf/p.cpuprofile", JSON.stringify(profile));
  session.disconnect();
  await app.close();
  }
});
