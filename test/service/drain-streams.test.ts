/** SIGTERM with calls over TCP and TLS on both sides: what goes on until the drain is over, what is hung up then, and what the records say of it. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { certificateFor } from "../sip/edge/support/certificate.js";
import { callTexts, contactOf, field, respondTo, SDP, tagOf } from "../sip/edge/support/raw-peer.js";
import {
  build,
  makeDataDirectory,
  presentedNumber,
  type RunningService,
  startService,
} from "../support/running-service.js";
import { until } from "../support/until.js";

const DRAIN_S = 3;
/** A leg that answers no BYE costs 3 s, the edge's last try 1 s; then PostgreSQL and Redis are stopped, on a busy machine. */
const STOP_MS_MAX = 15_000;

const data = makeDataDirectory();
const folder = mkdtempSync(join(tmpdir(), "ringmatch-drain-"));
let env: Record<string, string>;
let ca: string;

beforeAll(async () => {
  build();
  const { cert, key } = await certificateFor("IP:127.0.0.1");
  ca = cert;
  const files = { SIP_TLS_CERT_FILE: join(folder, "cert.pem"), SIP_TLS_KEY_FILE: join(folder, "key.pem") };
  writeFileSync(files.SIP_TLS_CERT_FILE, cert);
  writeFileSync(files.SIP_TLS_KEY_FILE, key, { mode: 0o600 });
  env = { ...files, SIP_LISTEN: "tcp/127.0.0.1:0,tls/127.0.0.1:0,udp/127.0.0.1:0", DRAIN_S: String(DRAIN_S) };
});
afterAll(() => {
  data.remove();
  rmSync(folder, { recursive: true });
});

it("a drain over tcp and tls: calls that are up go on, others are refused, all end in time", async () => {
  let service = await startService({ dataDir: data.path, env });
  onTestFinished(async () => {
    service.child.kill("SIGTERM");
    await service.exit;
  });
  const scenes = [await scene(service, "tcp", "3"), await scene(service, "tls", "4")];

  const toldAt = performance.now();
  service.child.kill("SIGTERM");
  await until("it drains", () => service.stderr().includes('"service.stopping"'));
  await Promise.all(scenes.map((one) => goOn(service, one)));
  await Promise.all(
    scenes.map(async ({ left, gone }) => {
      for (const leg of [left.caller, left.business, gone.business]) leg.confirm(await leg.request("BYE"));
      expect(performance.now() - toldAt).toBeGreaterThan(DRAIN_S * 1_000 - 100);
    }),
  );
  for (const { ringing } of scenes) {
    ringing.business.confirm(await ringing.business.request("CANCEL"));
    expect(field(await ringing.caller.response(503, "1 INVITE"), "Retry-After")).not.toBe("");
  }
  expect(await service.exit).toBe(0);
  expect(performance.now() - toldAt).toBeLessThan(DRAIN_S * 1_000 + STOP_MS_MAX);
  for (const { idle } of scenes) await until("the idle connection is closed", () => idle.socket.destroyed);

  service = await startService({ dataDir: data.path, env });
  const recordOf = async ({ promoNumber }: { promoNumber: string }): Promise<unknown> => {
    const { body } = await service.api("GET", `/v1/calls?promo_number=${encodeURIComponent(promoNumber)}`);
    return body["data"];
  };
  const shutdown = { released_by: "system", hangup_cause: "shutdown" };
  for (const { left, gone, hungUp, ringing } of scenes) {
    expect(await recordOf(left)).toMatchObject([{ status: "completed", ...shutdown }]);
    expect(await recordOf(gone)).toMatchObject([{ status: "completed", ...shutdown }]);
    expect(await recordOf(hungUp)).toMatchObject([{ status: "completed", released_by: "caller" }]);
    expect(await recordOf(ringing)).toMatchObject([{ status: "failed", ...shutdown }]);
  }
});

type Kind = "tcp" | "tls";
type Scene = Awaited<ReturnType<typeof scene>>;

/** Three calls that are up, one that rings, and a connection without any. @param decade keeps the numbers of two scenes apart */
async function scene(service: RunningService, kind: Kind, decade: string) {
  const idle = await carrier(service, kind);
  const left = await ring(service, kind, `${decade}1`);
  const hungUp = await ring(service, kind, `${decade}2`);
  const gone = await ring(service, kind, `${decade}3`);
  const ringing = await ring(service, kind, `${decade}4`);
  for (const call of [left, hungUp, gone]) await call.pickUp();
  return { kind, idle, left, hungUp, gone, ringing };
}

/** While it drains: new calls are refused on an old connection and a new one, one call changes, one is hung up, and one loses its caller's connection. */
async function goOn(service: RunningService, { kind, left, hungUp, gone }: Scene): Promise<void> {
  for (const peer of [left.caller, await carrier(service, kind)]) {
    const another = callTexts(peer.place, peer.edge, left.promoNumber);
    peer.send(another.invite());
    const refusal = await peer.response(503, "1 INVITE");
    expect(Number(field(refusal, "Retry-After"))).toBeGreaterThan(0);
    peer.send(another.ack(refusal));
  }
  await left.renegotiate();
  hungUp.caller.send(hungUp.texts.inDialog("BYE", hungUp.ok(), 2));
  await hungUp.caller.response(200, "2 BYE");
  hungUp.business.confirm(await hungUp.business.request("BYE"));
  gone.caller.socket.destroy();
}

/** A call that rings at a business on TCP. */
async function ring(service: RunningService, kind: Kind, lastDigits: string) {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const uri = `sip:business@127.0.0.1:${(server.address() as AddressInfo).port};transport=tcp`;
  const { promoNumber } = await presentedNumber(service, `+180055501${lastDigits}`, uri);
  const caller = await carrier(service, kind);
  const texts = callTexts(caller.place, caller.edge, promoNumber);
  const connected = once(server, "connection");
  caller.send(texts.invite());
  const business = streamPeer((await connected)[0] as Socket, "TCP");
  const invite = await business.request("INVITE");
  business.send(respondTo(invite, 180, "Ringing", { tag: "b" }));
  await caller.response(180, "1 INVITE");
  let ok = "";
  const answer = { tag: "b", contact: uri, body: SDP };
  return {
    caller,
    business,
    texts,
    promoNumber,
    ok: () => ok,
    pickUp: async () => {
      business.send(respondTo(invite, 200, "OK", answer));
      ok = await caller.response(200, "1 INVITE");
      caller.send(texts.ack(ok));
      await business.request("ACK");
    },
    /** By a re-INVITE of the caller. */
    renegotiate: async () => {
      const toTag = tagOf(field(ok, "To"));
      caller.send(texts.invite({ cseq: 2, branch: `z9hG4bKre${lastDigits}`, uri: contactOf(ok), toTag }));
      business.send(respondTo(await business.request("INVITE"), 200, "OK", answer));
      caller.send(texts.ack(await caller.response(200, "2 INVITE")));
      await business.request("ACK");
    },
  };
}

async function carrier(service: RunningService, kind: Kind) {
  const port = Number(service.ready.sip.find((address) => address.startsWith(`${kind}/`))?.split(":")[1]);
  const edge = { host: "127.0.0.1", port };
  const socket = kind === "tls" ? connectTls({ ...edge, ca }) : connectTcp(edge);
  await once(socket, kind === "tls" ? "secureConnect" : "connect");
  return { ...streamPeer(socket, kind.toUpperCase()), edge, place: { host: "127.0.0.1", port: socket.localPort ?? 0 } };
}

function streamPeer(socket: Socket, via: string) {
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  let received = "";
  const messages: string[] = [];
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    for (;;) {
      const length = /^Content-Length: *(\d+)/im.exec(received)?.[1] ?? "0";
      const end = received.indexOf("\r\n\r\n") + 4 + Number(length);
      if (!received.includes("\r\n\r\n") || received.length < end) return;
      messages.push(received.slice(0, end));
      received = received.slice(end);
    }
  });
  const next = (what: string, is: (text: string) => boolean): Promise<string> =>
    until(what, () => {
      const at = messages.findIndex(is);
      return at < 0 ? null : messages.splice(at, 1)[0];
    });
  const send = (text: string): void => void socket.write(text.replaceAll("SIP/2.0/UDP", `SIP/2.0/${via}`));
  return {
    socket,
    send,
    confirm: (request: string) => send(respondTo(request, 200, "OK")),
    request: (method: string) => next(method, (text) => text.startsWith(`${method} `)),
    response: (status: number, cseq: string) =>
      next(`${status} to ${cseq}`, (text) => text.startsWith(`SIP/2.0 ${status} `) && field(text, "CSeq") === cseq),
  };
}
