import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { demoCommand } from "../../src/cli/demo.js";
import { CARRIER_VOICES } from "../../src/dev/carrier-voices/carrier-voices.js";
import { chooseVoices } from "../../src/dev/demo-carriers.js";
import { ensureDemoAccount } from "../../src/dev/demo-account.js";
import { SipPhone } from "../../src/dev/sip-phone.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";
import { freshDatabase } from "../support/database.js";
import { startServiceHere } from "../support/service-here.js";
import { until } from "../support/until.js";
import { ids } from "../support/world.js";

const { db, url } = await freshDatabase();
const account = await ensureDemoAccount({ db, ids, random: systemRandom });
const service = await startServiceHere({ databaseUrl: url, publicUrl: "https://calls.example.com" });
/** Stands where the SIP edge would. */
const edge = new SipPhone({
  host: "127.0.0.1",
  port: 0,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  onCall: (call) => call.answer(),
});
const { host, port } = await edge.start();
afterAll(async () => {
  await edge.stop();
  await service.stop();
});

let out = "";
beforeEach(() => {
  out = "";
  for (const [name, value] of Object.entries(service.environment)) vi.stubEnv(name, value);
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const run = (...words: string[]) => demoCommand.run(["--http", service.httpUrl, "--sip", `${host}:${port}`, ...words]);

describe("ringmatch demo", () => {
  it("calls by SIP and by the named carrier, counts both, and every call comes to its end", async () => {
    await run("--rate", "60", "--seconds", "3", "--carriers", "twilio");
    expect(out).toMatch(/visitors \d+: presented \d+.*\| calls: .*sip \d+/);
    const [, calls = "0"] = /twilio (\d+)/.exec(out) ?? [];
    expect(Number(calls)).toBeGreaterThan(0);
    const records = await until("every call is over", async () => {
      const { data } = await service.api("GET", `/v1/calls?account_id=${account.accountId}&limit=500`);
      const all = data as { ingress: string; ended_at: string | null; status: string }[];
      return all.length === Number(calls) && all.every(({ ended_at }) => ended_at !== null) ? all : null;
    });
    expect(new Set(records.map(({ ingress }) => ingress))).toEqual(new Set(["twilio"]));
    expect(records.some(({ status }) => status === "completed")).toBe(true);
  });

  it("gives the demo account a credential of every carrier that can be spoken", async () => {
    await run("--rate", "50", "--seconds", "0.1");
    for (const { carrier } of chooseVoices(CARRIER_VOICES, null)) {
      const { data } = await service.api("GET", `/v1/carriers/${carrier}?account_id=${account.accountId}`);
      expect([carrier, data]).toMatchObject([carrier, [{ carrier, account_id: account.accountId }]]);
    }
  });

  it("says in a sentence which carriers there are, before anything is set", async () => {
    await expect(run("--carriers", "twilio,acme")).rejects.toThrow(/There is no carrier "acme"/);
    await expect(demoCommand.run(["--http", "http://127.0.0.1:9", "--sip", "127.0.0.1:9"])).rejects.toThrow(
      /No service answers at http:\/\/127\.0\.0\.1:9/,
    );
  });
});
