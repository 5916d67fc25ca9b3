/** The edge in its thread, as the service runs it: the real worker, compiled, and calls through it. */
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BroadcastChannel } from "node:worker_threads";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import type { Log } from "../../../src/kernel/log.js";
import { silentLog } from "../../../src/kernel/log.js";
import { EdgeThread, type EdgeThreadOptions } from "../../../src/sip/edge/edge-thread.js";
import { compileSource } from "../../support/compiled.js";
import { QUICK, SECRET, UDP_AND_TCP } from "./support/edge.js";
import { callTexts, rawPeer } from "./support/raw-peer.js";
import { connectSrf } from "./support/srf.js";
import { until } from "../../support/until.js";

const compiled = compileSource(["kernel", "sip/edge"]);
afterAll(() => compiled.remove());

const workerFile = pathToFileURL(join(compiled.directory, "sip/edge/edge-worker.js"));

/** The same worker, which dies when it is told so on a channel of that name. */
function mortalWorker(channel: string): URL {
  const path = join(compiled.directory, `${channel}.js`);
  const dies = `new BroadcastChannel(${JSON.stringify(channel)}).onmessage = () => process.exit(1);`;
  writeFileSync(
    path,
    `import { BroadcastChannel } from "node:worker_threads";\n${dies}\nimport "./sip/edge/edge-worker.js";\n`,
  );
  return pathToFileURL(path);
}

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
  connectSrf(running, (srf) => srf.invite((_request, response) => response.send(486)), { maxAttempts: 50 });

async function callGets(running: Running, status: number, from = "127.0.0.1"): Promise<void> {
  const peer = await rawPeer(running, from);
  const call = callTexts(peer, running);
  peer.send(call.invite());
  const final = await peer.next(`a final answer`, (text) => /^SIP\/2\.0 [2-6]/.test(text));
  peer.send(call.ack(final));
  expect(final).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
}

describe("the edge in a thread", () => {
  it("listens where it says, carries calls to the app and back, and counts them", async () => {
    const running = await startThread();
    expect(running.sip.map(({ transport }) => transport)).toEqual(["udp", "tcp"]);
    await busyApp(running);
    await callGets(running, 486);
    expect(await running.thread.counters()).toMatchObject({ invites_received: 1, thread_restarts: 0 });
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

  it("gives its ports back when it stops", async () => {
    const running = await startThread();
    await running.thread.stop();
    const socket = createSocket("udp4");
    onTestFinished(() => void socket.close());
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(running.port, "127.0.0.1", resolve);
    });
  });

  it("says which setting names an address that is taken", async () => {
    const running = await startThread();
    const listen = [{ transport: "udp" as const, host: "127.0.0.1", port: running.port }];
    await expect(startThread({ listen })).rejects.toMatchObject({
      code: "address_taken",
      message: expect.stringContaining("SIP_LISTEN") as string,
    });
  });

  it("says what happens in the service's log", async () => {
    const events: string[] = [];
    const log: Log = { ...silentLog, info: (event) => void events.push(event) };
    await startThread({ log });
    await until("its start is logged", () => events.includes("edge.started"));
  });
});

describe("a thread that dies", () => {
  it("is replaced on the same ports, with the sources it had, and the app finds it again", async () => {
    const name = "edge-that-dies";
    const running = await startThread({ workerFile: mortalWorker(name) });
    await busyApp(running);
    await running.thread.allowSources(["127.0.0.5/32"]);
    await callGets(running, 486, "127.0.0.5");
    const channel = new BroadcastChannel(name);
    onTestFinished(() => channel.close());
    channel.postMessage("die");
    await until("it is there again", async () => {
      const counters = await running.thread.counters().catch(() => null);
      return counters !== null && counters["thread_restarts"] === 1 && (counters["app_connections"] ?? 0) > 0;
    });
    await callGets(running, 486, "127.0.0.5");
  });
});
