import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, it, onTestFinished } from "vitest";
import { ensureTrunk } from "../../src/account/trunks.store.js";
import { loadConfig } from "../../src/config.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { startService } from "../../src/service/service.js";
import { SipEdge } from "../../src/sip/edge/sip-edge.js";
import { SipPhone } from "../../src/dev/sip-phone.js";
import { freshDatabase } from "../support/database.js";
import { startLink } from "../support/severable-link.js";
import { until } from "../support/until.js";

const { db, url } = await freshDatabase();
const ambient = { clock: systemClock, random: systemRandom, log: silentLog };

it("a trunk that is made while the service waits for its drachtio-server may call afterwards", async () => {
  const secret = "a-secret-of-tests-only";
  const edge = new SipEdge({
    ...ambient,
    listen: [{ transport: "udp", host: "127.0.0.1", port: 0 }],
    admin: { host: "127.0.0.1", port: 0, secret },
    sourceCidrs: ["127.0.0.0/8"],
  });
  const { sip, admin } = await edge.start();
  const link = await startLink(`drachtio://127.0.0.1:${String(admin.port)}`);
  const dataDir = mkdtempSync(join(tmpdir(), "ringmatch-trunks-"));
  onTestFinished(async () => {
    await edge.stop();
    await link.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const greeting = link.hold();
  const starting = startService(
    loadConfig({
      DATABASE_URL: url,
      REDIS_URL: inject("redisUrl"),
      DRACHTIO_URL: `drachtio://:${secret}@127.0.0.1:${new URL(link.url).port}`,
      SECRETS_KEY: "a secret for tests only",
      ADMIN_API_KEY: "an-admin-key-for-tests-only",
      RINGMATCH_DATA_DIR: join(dataDir, "data"),
      ROLES: "sip",
    }),
    ambient,
    () => ({ version: "0.0.0", text: "" }),
  );
  await until("it has read its trunks and says who it is", () => greeting.text !== "");
  await ensureTrunk(db, { name: "new", sourceCidrs: ["127.0.0.0/8"] });
  await new Promise((resolve) => setTimeout(resolve, 300));
  greeting.letGo();
  const service = await starting;
  onTestFinished(() => service.stop(0));
  service.markReady();
  const phone = new SipPhone({ host: "127.0.0.1", port: 0, ...ambient });
  await phone.start();
  onTestFinished(() => phone.stop());
  const targetUri = `sip:+18885550199@127.0.0.1:${String(sip[0]?.port)}`;
  const result = await phone.call({ targetUri, fromUser: "+14155550123", ringTimeoutMs: 5_000 });
  expect(result).toMatchObject({ kind: "refused", status: 404 });
});
