/** The service's HTTP role as it is composed, in this very process, over a test's database: everything real but the SIP edge's thread. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { loadConfig } from "../../src/config.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { startService } from "../../src/service/service.js";
import { builtTag } from "./built-tag.js";

const ADMIN_KEY = "an-admin-key-for-tests-only";

export interface ServiceHere {
  readonly httpUrl: string;
  /** What it was started with; for commands that read the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** As the platform's admin. @throws Error for anything but 2xx */
  api(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

/** @param publicUrl what carriers sign */
export async function startServiceHere(input: { databaseUrl: string; publicUrl: string }): Promise<ServiceHere> {
  const parent = mkdtempSync(join(tmpdir(), "ringmatch-here-"));
  chmodSync(parent, 0o711);
  const environment = {
    DATABASE_URL: input.databaseUrl,
    REDIS_URL: inject("redisUrl"),
    SECRETS_KEY: "a secret for tests only",
    ADMIN_API_KEY: ADMIN_KEY,
    RINGMATCH_DATA_DIR: join(parent, "data"),
    HTTP_LISTEN: "127.0.0.1:0",
    PUBLIC_BASE_URL: input.publicUrl,
    PRESENT_TRUSTED_CIDRS: "127.0.0.0/8",
    ROLES: "http",
  };
  const ambient = { clock: systemClock, random: systemRandom, log: silentLog };
  const text = await builtTag();
  const service = await startService(loadConfig(environment), ambient, () => ({ version: "0.0.0", text }));
  service.markReady();
  const httpUrl = service.httpUrl ?? "";
  return {
    httpUrl,
    environment,
    api: async (method, path, body) => {
      const response = await fetch(httpUrl + path, {
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as Record<string, unknown>;
    },
    stop: async () => {
      await service.stop();
      rmSync(parent, { recursive: true, force: true });
    },
  };
}
