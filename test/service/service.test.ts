import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  failToStart,
  build,
  completed,
  makeDataDirectory,
  presentedNumber,
  type RunningService,
  startService,
} from "../support/running-service.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";

/** Of a server that was killed: PostgreSQL recovers, and waits for its former children. */
const BACK_MS_MAX = 60_000;

beforeAll(() => build());

describe("a first start", () => {
  const data = makeDataDirectory();
  let service: RunningService;
  beforeAll(async () => {
    service = await startService({ dataDir: data.path });
  });
  // Stopped by the last test, unless one before it failed or it was left out.
  afterAll(async () => {
    service.child.kill("SIGTERM");
    await service.exit;
    data.remove();
  });

  it("prints the demonstration's record and explanation, then the ready line, and readyz says 200", async () => {
    expect(service.stdout()).toContain('"outcome": "matched"');
    expect(service.stdout()).toContain("Its explanation:");
    expect(service.ready).toMatchObject({ event: "ready", pid: service.child.pid });
    expect(await service.api("GET", "/readyz")).toMatchObject({ status: 200 });
    const calls = await service.api("GET", "/v1/calls");
    expect(calls.body["data"]).toMatchObject([
      { status: "completed", attribution: { outcome: "matched", touch: { utm_source: "google" } } },
    ]);
  });

  it("leaves nothing in the available inventory", async () => {
    expect((await service.api("GET", "/v1/numbers?state=available")).body["data"]).toEqual([]);
  });

  it("refuses a second service on the same data directory", async () => {
    const second = await failToStart({ dataDir: data.path });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/RINGMATCH_DATA_DIR/);
    expect(second.stderr).toContain(String(service.ready.pid));
  });

  it("takes a sipp caller to a sipp business through a number just presented over HTTP, and the record names that visitor", async () => {
    const callee = await sipp({ scenario: "uas-answer" });
    const { account, presentation, promoNumber } = await presentedNumber(
      service,
      "+18005550111",
      `sip:business@127.0.0.1:${callee.port}`,
    );
    const caller = await sipp({ scenario: "uac-answered", remote: service.sip, service: promoNumber });
    await Promise.all([caller.done, callee.done]);
    const record = await completed(service, promoNumber);
    expect(record).toMatchObject({
      account_id: account,
      ingress: "sip",
      attribution: { outcome: "matched", visitor_id: presentation["visitor_id"], touch: { utm_source: "bing" } },
    });
  });

  it("does the same through a signed Twilio request", async () => {
    const { account, presentation, promoNumber } = await presentedNumber(
      service,
      "+18005550112",
      "sip:business@127.0.0.1:9",
    );
    const token = "0123456789abcdef0123456789abcdef";
    expect(
      (await service.api("PUT", "/v1/carriers/twilio", { account_id: account, auth_tokens: [token] })).status,
    ).toBe(200);
    const sid = `CA${"1".repeat(32)}`;
    const voice = await twilio(service, token, "voice", {
      CallSid: sid,
      AccountSid: `AC${"2".repeat(32)}`,
      From: "+14155550123",
      To: promoNumber,
      CallStatus: "ringing",
      Direction: "inbound",
    });
    expect(voice.status).toBe(200);
    expect(voice.text).toContain("+18005550112");
    const dialUrl = /action="([^"]+)"/.exec(voice.text)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const answer = {
      CallSid: sid,
      AccountSid: `AC${"2".repeat(32)}`,
      From: "+14155550123",
      To: promoNumber,
      CallStatus: "in-progress",
      DialCallStatus: "completed",
      DialCallDuration: "42",
    };
    expect((await twilio(service, token, dialUrl, answer)).status).toBe(200);
    const record = await completed(service, promoNumber);
    expect(record).toMatchObject({
      ingress: "twilio",
      talk_ms: 42_000,
      attribution: { outcome: "matched", visitor_id: presentation["visitor_id"] },
    });
    expect(
      (await twilio(service, "f".repeat(32), "voice", { CallSid: sid, To: promoNumber, From: "+14155550123" })).status,
    ).toBe(403);
  });

  it("visitors who come all at once while it is busy wait in the kernel: none is told to try again later", async () => {
    // Less than a second, after which a kernel without room is asked again.
    const WITHIN_MS = 900;
    const { port } = new URL(service.ready.http);
    service.child.kill("SIGSTOP");
    const visitors = Array.from({ length: 1_000 }, () => connect(Number(port), "127.0.0.1"));
    try {
      const connected = Promise.all(visitors.map((visitor) => once(visitor, "connect")));
      expect(await Promise.race([connected.then(({ length }) => length), setTimeout(WITHIN_MS, 0)])).toBe(1_000);
    } finally {
      service.child.kill("SIGCONT");
      for (const visitor of visitors) visitor.on("error", () => {}).destroy();
    }
    expect(await service.api("GET", "/healthz")).toMatchObject({ status: 200 });
  });

  it("gets its PostgreSQL and its Redis back when they are killed, and goes on", async () => {
    const pidOf = (server: string): number =>
      (JSON.parse(readFileSync(join(data.path, `${server}.pid.json`), "utf8")) as { pid: number }).pid;
    for (const server of ["postgres", "redis"]) {
      const pid = pidOf(server);
      process.kill(pid, "SIGKILL");
      await until(`another ${server}`, () => pidOf(server) !== pid, BACK_MS_MAX);
    }
    await until("it is ready again", async () => (await service.api("GET", "/readyz")).status === 200, BACK_MS_MAX);
    await presentedNumber(service, "+18005550114", "sip:business@127.0.0.1:9");
  });

  it("survives kill -9: the next start recovers, makes no second demonstration, and knows what was answered", async () => {
    const { promoNumber, presentation } = await presentedNumber(service, "+18005550113", "sip:business@127.0.0.1:9");
    service.child.kill("SIGKILL");
    await service.exit;
    service = await startService({ dataDir: data.path });
    expect(service.stdout()).not.toContain("Its explanation:");
    const log = await service.api("GET", `/v1/presentations?number=${encodeURIComponent(promoNumber)}`);
    expect(log.body["data"]).toMatchObject([{ visitor_id: presentation["visitor_id"], seq: 1 }]);
  });

  it("drains and exits 0 when the signal comes twice", async () => {
    service.child.kill("SIGTERM");
    service.child.kill("SIGINT");
    expect(await service.exit).toBe(0);
  });

  it("run by npm, stops with exit code 0 when the whole process group is interrupted", async () => {
    const npm = await startService({ dataDir: data.path, how: "npm" });
    expect(npm.ready.pid).not.toBe(npm.child.pid);
    process.kill(-(npm.child.pid as number), "SIGINT");
    expect(await npm.exit).toBe(0);
    await until("the service is gone", () => !isAlive(npm.ready.pid));
  });
});

describe("a start that cannot work", () => {
  const data = makeDataDirectory();
  afterAll(() => data.remove());

  it("says which address is taken, and exits 1", async () => {
    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const httpTaken = `127.0.0.1:${(tcp.address() as AddressInfo).port}`;
    expect(await failToStart({ dataDir: data.path, env: { HTTP_LISTEN: httpTaken } })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringmatch: HTTP_LISTEN: .* is in use/m),
    });
    tcp.close();
    const udp = createSocket("udp4").bind(0, "127.0.0.1");
    await once(udp, "listening");
    const sipTaken = `udp/127.0.0.1:${udp.address().port}`;
    expect(await failToStart({ dataDir: data.path, env: { SIP_LISTEN: sipTaken } })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ringmatch: SIP_LISTEN: .* is in use/m),
    });
    udp.close();
  });

  it("told to stop while it waits for a drachtio-server that says nothing, exits 0 without waiting on", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    let toldAt = Infinity;
    const env = { DRACHTIO_URL: `drachtio://:secret@127.0.0.1:${port}` };
    const { code, stderr } = await failToStart({ dataDir: data.path, env }, (child) =>
      silent.on("connection", (link) => {
        link.on("error", () => undefined);
        toldAt = performance.now();
        child.kill("SIGTERM");
      }),
    );
    silent.close();
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("service.start_given_up") });
    // The wait alone is 10 s; a stop takes one or two.
    expect(performance.now() - toldAt).toBeLessThan(8_000);
  });

  it("says how to install a missing Redis, and exits 1", async () => {
    const { code, stderr } = await failToStart({ dataDir: data.path, env: { PATH: pathWithoutRedis(data.path) } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ringmatch: .*apt-get install .*redis-server/m);
  });

  it.each([
    [{ ADMIN_API_KEY: "short" }, /ADMIN_API_KEY/],
    [{ HTTP_LISTEN: "nowhere" }, /HTTP_LISTEN/],
    [{ DATABASE_URL: "postgres://127.0.0.1:9/none" }, /SECRETS_KEY/],
    [{ DRACHTIO_URL: "drachtio://:cymru@127.0.0.1:9022" }, /DRACHTIO_URL/],
    [
      {
        DATABASE_URL: "postgres://127.0.0.1:9/none",
        SECRETS_KEY: "0123456789abcdef",
        REDIS_URL: "redis://127.0.0.1:9",
      },
      /PostgreSQL cannot be reached/,
    ],
  ])("names the variable at fault: %j", async (env, expected) => {
    const { code, stderr } = await failToStart({ dataDir: data.path, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
  });
});

async function twilio(service: RunningService, token: string, kindOrUrl: string, params: Record<string, string>) {
  const url = kindOrUrl.startsWith("http") ? kindOrUrl : `${service.ready.http}/webhooks/twilio/${kindOrUrl}`;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": getExpectedTwilioSignature(token, url, params),
    },
    body: new URLSearchParams(params).toString(),
  });
  return { status: response.status, text: await response.text() };
}

/** Every program of PATH but the Redis servers. */
function pathWithoutRedis(besides: string): string {
  const directory = `${besides}-path`;
  mkdirSync(directory, { recursive: true });
  for (const part of (process.env["PATH"] ?? "").split(":").filter((path) => existsSync(path))) {
    for (const name of readdirSync(part)) {
      const link = join(directory, name);
      if (!/^(redis|valkey)-/.test(name) && !existsSync(link)) symlinkSync(join(part, name), link);
    }
  }
  return directory;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
