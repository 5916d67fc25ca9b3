/** The edge in its thread, as the service runs it: the real worker, compiled, and calls through it. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { pathToFileURL } from "node:url";
import { BroadcastChannel } from "node:worker_threads";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { silentLog } from "../../../src/kernel/log.js";
import { EdgeThread, type EdgeThreadOptions } from "../../../src/sip/edge/edge-thread.js";
import { compileSource } from "../../support/compiled.js";
import { recordingLog } from "../../support/recording-log.js";
import { sipp } from "../../support/sipp.js";
import { until } from "../../support/until.js";
import { type Certificate, certificateFor } from "./support/certificate.js";
import { QUICK, SECRET, UDP_AND_TCP } from "./support/edge.js";
import { uriOf } from "./support/proxied-call.js";
import { callTexts, rawPeer, respondTo } from "./support/raw-peer.js";
import { connectSrf, reconnected } from "./support/srf.js";

const compiled = compileSource(["kernel", "telephony", "sip/edge"]);
afterAll(() => compiled.remove());

const workerFile = pathToFileURL(join(compiled.directory, "sip/edge/edge-worker.js"));

async function startThread(options: Partial<EdgeThreadOptions> = {}) {
  const thread = new EdgeThread({
    listen: UDP_AND_TCP,
    admin: { host: "127.0.0.1", port: 0, secret: SECRET },
    sourceCidrs: ["127.0.0.0/8"],
    timers: QUICK,
    log: silentLog,
    workerFile,
    ...options,
  });
  onTestFinished(() => thread.stop());
  const { sip, admin } = await thread.start();
  return { thread, sip, admin, host: sip[0]?.host ?? "", port: sip[0]?.port ?? 0 };
}

type Running = Awaited<ReturnType<typeof startThread>>;

/** Refuses every call with 486, whatever becomes of its connection. */
const busyApp = (running: Running) =>
  connectSrf(running, (srf) => srf.invite((_request, response) => response.send(486)), { retryMaxDelay: 200 });

async function callGets(running: Running, status: number, from = "127.0.0.1"): Promise<void> {
  const peer = await rawPeer(running, from);
  const call = callTexts(peer, running);
  peer.send(call.invite());
  const final = await peer.next(`a final answer`, (text) => /^SIP\/2\.0 [2-6]/.test(text));
  peer.send(call.ack(final));
  expect(final).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
}

/** A connection to a TLS listener, whose certificate it trusts and no other. */
async function secured(running: Running, trusted: Certificate): Promise<TLSSocket> {
  const socket = connect({ host: running.host, port: running.port, ca: trusted.cert });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

function udpIsFree(port: number): Promise<void> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, "127.0.0.1", resolve);
  });
}

async function tcpIsFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
}

describe("the edge in a thread", () => {
  it("listens where it says, carries a call from caller to business and back, and counts", async () => {
    const running = await startThread();
    expect(running.sip.map(({ transport }) => transport)).toEqual(["udp", "tcp"]);
    const callee = await sipp({ scenario: "uas-answer" });
    await connectSrf(running, (srf) =>
      srf.invite((request, response) => {
        const business = `sip:business@127.0.0.1:${callee.port}`;
        void srf.createB2BUA(request, response, business, { localSdpB: request.body }).then(({ uas, uac }) => {
          uas.on("destroy", () => void uac.destroy());
        });
      }),
    );
    const caller = await sipp({ scenario: "uac-answered", remote: `127.0.0.1:${running.port}` });
    await Promise.all([caller.done, callee.done]);
    // The business's answer to the BYE is still on its way when its sipp has ended.
    await until("no dialog", async () => (await running.thread.counters())["active_dialogs"] === 0);
    expect(await running.thread.counters()).toMatchObject({
      invites_received: 1,
      invites_sent: 1,
      dialogs_created: 2,
      active_dialogs: 0,
      thread_restarts: 0,
    });
  });

  it("shows the certificate it was given", async () => {
    const certificate = await certificateFor("IP:127.0.0.1");
    const running = await startThread({
      listen: [{ transport: "tls", host: "127.0.0.1", port: 0 }],
      tls: certificate,
    });
    expect((await secured(running, certificate)).authorized).toBe(true);
  });

  it("shows a renewed certificate from the next connection on, and keeps it when a further one is no good", async () => {
    const [first, second] = [await certificateFor("IP:127.0.0.1"), await certificateFor("IP:127.0.0.1")];
    const running = await startThread({
      listen: [{ transport: "tls", host: "127.0.0.1", port: 0 }],
      tls: first,
    });
    const before = await secured(running, first);
    await running.thread.useCertificate(second);
    expect((await secured(running, second)).authorized).toBe(true);
    await expect(secured(running, first)).rejects.toThrow("self-signed");
    await expect(running.thread.useCertificate({ cert: first.cert, key: second.key })).rejects.toMatchObject({
      code: "config_invalid",
    });
    expect((await secured(running, second)).authorized).toBe(true);
    expect(before.readyState).toBe("open");
  });

  it("takes other sources at once, and refuses a list that is none", async () => {
    const running = await startThread({ sourceCidrs: ["127.0.0.2/32"] });
    await busyApp(running);
    await callGets(running, 486, "127.0.0.2");
    await running.thread.allowSources(["127.0.0.3/32"]);
    await expect(running.thread.allowSources(["no network"])).rejects.toMatchObject({ code: "invalid_value" });
    await callGets(running, 486, "127.0.0.3");
    const stranger = await rawPeer(running, "127.0.0.2");
    stranger.send(callTexts(stranger, running).invite());
    await until("the stranger is dropped", async () => ((await running.thread.counters())["dropped_source"] ?? 0) > 0);
    expect(stranger.inbox).toEqual([]);
  });

  it("drains: new calls get 503", async () => {
    const running = await startThread();
    await busyApp(running);
    await running.thread.drain();
    await callGets(running, 503);
  });

  it("hunts as it is told to", async () => {
    const running = await startThread({ search: "line" });
    const [desk, other] = [await rawPeer(running), await rawPeer(running)];
    await connectSrf(running, (srf) =>
      srf.invite((request) => void srf.proxyRequest(request, [uriOf(desk), uriOf(other)], { remainInDialog: true })),
    );
    const refusing = desk.request("INVITE").then((invite) => desk.send(respondTo(invite, 404, "Gone", { tag: "a" })));
    await Promise.all([refusing, callGets(running, 503)]);
    expect(other.inbox).toEqual([]);
  });

  it("gives its ports back when it stops, and has no counters any more", async () => {
    const running = await startThread();
    await Promise.all([running.thread.stop(), running.thread.stop()]);
    await udpIsFree(running.port);
    await tcpIsFree(running.port);
    await tcpIsFree(running.admin.port);
    await expect(running.thread.counters()).rejects.toMatchObject({ code: "internal" });
  });

  it("says what happens in the service's log", async () => {
    const { log, fieldsOf } = recordingLog();
    const { sip, admin } = await startThread({ log });
    await until("its start is logged", () => fieldsOf("edge.started"));
    expect(fieldsOf("edge.started")).toEqual({ sip, admin });
  });
});

describe("a thread that cannot start", () => {
  it("names the setting of an address that is taken", async () => {
    const running = await startThread();
    const { log, events } = recordingLog();
    const listen = [{ transport: "udp" as const, host: "127.0.0.1", port: running.port }];
    await expect(startThread({ listen, log })).rejects.toMatchObject({
      code: "address_taken",
      message: expect.stringMatching(/^SIP_LISTEN udp\/127\.0\.0\.1:\d+ is in use/) as string,
    });
    // Nothing to replace: it never stood anywhere.
    expect(events).toEqual([]);
  });

  it("says what is wrong with its configuration", async () => {
    const listen = [{ transport: "tls" as const, host: "127.0.0.1", port: 0 }];
    await expect(startThread({ listen })).rejects.toMatchObject({ code: "config_invalid" });
    const tls = { cert: "no certificate", key: "no key" };
    await expect(startThread({ listen, tls })).rejects.toMatchObject({ code: "config_invalid" });
    await expect(startThread({ sourceCidrs: ["nowhere"] })).rejects.toMatchObject({ code: "invalid_value" });
  });
});

describe("a thread that dies", () => {
  /** The same worker, which runs `death` when it is told so on a channel of that name. */
  function mortalWorker(channel: string, death: string): URL {
    const path = join(compiled.directory, `${channel}.js`);
    writeFileSync(
      path,
      `import { BroadcastChannel } from "node:worker_threads";
       import "./sip/edge/edge-worker.js";
       new BroadcastChannel(${JSON.stringify(channel)}).onmessage = (event) => { ${death} };`,
    );
    return pathToFileURL(path);
  }

  async function startMortal(channel: string, death: string, options: Partial<EdgeThreadOptions> = {}) {
    const record = recordingLog();
    const running = await startThread({ ...options, workerFile: mortalWorker(channel, death), log: record.log });
    const app = await busyApp(running);
    const killer = new BroadcastChannel(channel);
    onTestFinished(() => killer.close());
    const die = async (): Promise<void> => {
      const back = reconnected(app, running);
      killer.postMessage("die");
      await back;
    };
    return { running, app, record, die, killer };
  }

  it.each([
    ["of an error nobody caught", "throw new Error('a fault of ours');", "a fault of ours"],
    ["of a promise nobody caught", "Promise.reject(new Error('a broken promise'));", "a broken promise"],
    ["without a word", "process.exit(1);", null],
  ])(
    "%s is replaced on the same ports, with the sources it had; the app finds it, and calls go on",
    async (how, death, message) => {
      const { running, record, die } = await startMortal(`dies-${how.replaceAll(" ", "-")}`, death);
      await running.thread.allowSources(["127.0.0.5/32"]);
      await callGets(running, 486, "127.0.0.5");
      await die();
      await callGets(running, 486, "127.0.0.5");
      expect(await running.thread.counters()).toMatchObject({
        thread_restarts: 1,
        invites_received: 1,
        dropped_source: 0,
      });
      expect(record.events).toContain("error edge.thread_ended");
      if (message !== null) expect(record.fieldsOf("edge.thread_failed")).toMatchObject({ error: { message } });
    },
  );

  it("is replaced by one that drains too, and that can die in its turn", async () => {
    const { running, die } = await startMortal("dies-while-draining", "process.exit(1);");
    await running.thread.drain();
    await die();
    await callGets(running, 503);
    await die();
    await callGets(running, 503);
    expect(await running.thread.counters()).toMatchObject({ thread_restarts: 2 });
  });

  it("is replaced by one that shows the renewed certificate", async () => {
    const [first, second] = [await certificateFor("IP:127.0.0.1"), await certificateFor("IP:127.0.0.1")];
    const listen = [{ transport: "tls" as const, host: "127.0.0.1", port: 0 }];
    const { running, die } = await startMortal("dies-with-a-certificate", "process.exit(1);", { listen, tls: first });
    await running.thread.useCertificate(second);
    await die();
    expect((await secured(running, second)).authorized).toBe(true);
  });

  it("hands on what it was told while there was none, and is tried again while its port is somebody else's", async () => {
    const { running, record, killer } = await startMortal("dies-and-loses-its-port", "process.exit(1);");
    const ended = until("its end is known", () => record.events.includes("error edge.thread_ended"));
    killer.postMessage("die");
    await ended;
    const thief = createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      thief.once("error", reject);
      thief.bind(running.port, "127.0.0.1", resolve);
    });
    await running.thread.allowSources(["127.0.0.6/32"]);
    await running.thread.drain();
    await until("a try fails", () => record.events.includes("error edge.restart_failed"));
    expect(record.fieldsOf("edge.restart_failed")?.["error"]).toMatch(/^SIP_LISTEN/);
    thief.close();
    await until("it is there again", async () => (await running.thread.counters().catch(() => null)) !== null);
    await callGets(running, 503, "127.0.0.6");
  });

  it("or hangs: after a named time it is ended, and replaced", async () => {
    const { running, app, killer } = await startMortal("hangs", "event.target.postMessage('hangs'); for (;;);");
    const hangs = new Promise((resolve) => (killer.onmessage = resolve));
    killer.postMessage("die");
    await hangs;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const asked = running.thread.counters();
    vi.advanceTimersByTime(10_000);
    vi.useRealTimers();
    const back = reconnected(app, running);
    await expect(asked).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("10 s") as string });
    await back;
    await callGets(running, 486);
  });

  it("is not replaced when the service stops", async () => {
    const { running, record, killer } = await startMortal("dies-at-the-end", "process.exit(1);");
    killer.postMessage("die");
    await running.thread.stop();
    await udpIsFree(running.port);
    expect(record.events).not.toContain("error edge.thread_ended");
  });
});
