/** TLS in both directions: callers on the edge's own listener, destinations whose certificate is checked before a byte of SIP is sent. */
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect, createServer, type ConnectionOptions, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { SipEdgeOptions } from "../../../src/sip/edge/sip-edge.js";
import { type Certificate, certificateFor } from "./support/certificate.js";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { callTexts, contactOf, field, respondTo, SDP } from "./support/raw-peer.js";
import { connectSrf, hangUp, type SrfDialog } from "./support/srf.js";

let edgeCertificate: Certificate;
let deskCertificate: Certificate;
let otherCertificate: Certificate;

beforeAll(async () => {
  edgeCertificate = await certificateFor("IP:127.0.0.1");
  deskCertificate = await certificateFor("IP:127.0.0.1,DNS:localhost");
  otherCertificate = await certificateFor("DNS:somebody.example.com");
});

function startTlsEdge(options: Partial<SipEdgeOptions> = {}): Promise<RunningEdge> {
  return startEdge({
    listen: [{ transport: "tls", host: "127.0.0.1", port: 0 }],
    tls: { ...edgeCertificate, ca: deskCertificate.cert },
    ...options,
  });
}

interface TlsPeer {
  readonly host: string;
  readonly port: number;
  readonly socket: TLSSocket;
  text(): string;
}

async function tlsPeer(running: RunningEdge, options: ConnectionOptions = {}): Promise<TlsPeer> {
  const socket = connect({ host: running.host, port: running.port, ca: edgeCertificate.cert, ...options });
  onTestFinished(() => void socket.destroy());
  const text = collect(socket);
  await once(socket, "secureConnect");
  return { host: "127.0.0.1", port: socket.localPort ?? 0, socket, text };
}

function collect(socket: TLSSocket): () => string {
  let received = "";
  socket.on("data", (data: Buffer) => (received += data.toString("latin1")));
  return () => received;
}

const overTls = (text: string): string => text.replaceAll("SIP/2.0/UDP", "SIP/2.0/TLS");

interface Desk {
  readonly port: number;
  /** Everything received on any connection. */
  text(): string;
  reply(text: string): void;
}

/** A destination that listens on TLS and does nothing by itself. */
async function startDesk(certificate: Certificate): Promise<Desk> {
  const sockets: TLSSocket[] = [];
  const texts: (() => string)[] = [];
  const server = createServer(certificate, (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    texts.push(collect(socket));
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    text: () => texts.map((one) => one()).join(""),
    reply: (text) => void sockets.at(-1)?.write(text),
  };
}

describe("a caller on TLS", () => {
  it("is answered on its connection, with a Contact that says tls, and hung up on over it", async () => {
    const running = await startTlsEdge();
    const dialogs: SrfDialog[] = [];
    await connectSrf(running, (srf) =>
      srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).then((dialog) => dialogs.push(dialog))),
    );
    const peer = await tlsPeer(running);
    const call = callTexts(peer, running);
    peer.socket.write(overTls(call.invite()));
    await until("the 200", () => peer.text().includes("SIP/2.0 200 OK"));
    const ok = peer.text().slice(peer.text().indexOf("SIP/2.0 200"));
    expect(field(ok, "Contact")).toBe(`<sip:${running.host}:${running.port};transport=tls>`);
    peer.socket.write(overTls(call.ack(ok)));
    await until("the dialog", () => dialogs.length === 1);
    const ended = dialogs[0]?.destroy();
    await until("the BYE", () => peer.text().includes("BYE sip:caller@"));
    const bye = peer.text().slice(peer.text().indexOf("BYE sip:caller@"));
    expect(field(bye, "Via")).toMatch(new RegExp(`^SIP/2.0/TLS ${running.host}:${running.port};`));
    peer.socket.write(respondTo(bye, 200, "OK"));
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("who asks for a sips: URI is answered with a sips: Contact", async () => {
    const running = await startTlsEdge();
    await connectSrf(running, (srf) => srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP })));
    const peer = await tlsPeer(running);
    const call = callTexts(peer, running);
    peer.socket.write(overTls(call.invite({ uri: `sips:+18005550100@${running.host}:${running.port}` })));
    await until("the 200", () => peer.text().includes("SIP/2.0 200 OK"));
    const ok = peer.text().slice(peer.text().indexOf("SIP/2.0 200"));
    expect(contactOf(ok)).toBe(`sips:${running.host}:${running.port}`);
    peer.socket.write(overTls(call.ack(ok)));
  });

  it("with an older version than TLS 1.2 gets no connection", async () => {
    const running = await startTlsEdge();
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(tlsPeer(running, old)).rejects.toThrow(/protocol version/);
  });

  it.each([
    ["who speaks plain TCP there", "127.0.0.1"],
    ["from outside the CIDRs", "127.0.0.2"],
  ])("%s is disconnected without an answer in SIP", async (_name, localAddress) => {
    const running = await startTlsEdge({ sourceCidrs: ["127.0.0.1/32"] });
    const socket = connectTcp({ host: running.host, port: running.port, localAddress });
    let received = "";
    socket.on("data", (data) => (received += data.toString("latin1")));
    socket.on("error", () => undefined);
    const closed = once(socket, "close");
    socket.write(callTexts({ host: localAddress, port: 5060 }, running).invite());
    await closed;
    expect(received).not.toContain("SIP/2.0");
    expect(running.edge.counters()).toMatchObject({ messages_received: 0 });
  });
});

describe("a destination on TLS", () => {
  it.each([
    ["transport=tls", (port: number) => `sip:desk@127.0.0.1:${port};transport=tls`, "sip:127.0.0.1:PORT;transport=tls"],
    ["sips:", (port: number) => `sips:desk@127.0.0.1:${port}`, "sips:127.0.0.1:PORT"],
  ])("named by %s is called, acknowledged and hung up on over one connection", async (_name, uri, contact) => {
    const running = await startTlsEdge();
    const srf = await connectSrf(running);
    const desk = await startDesk(deskCertificate);
    const calling = srf.createUAC(uri(desk.port), { localSdp: SDP });
    await until("the INVITE", () => desk.text().includes("INVITE "));
    const invite = desk.text();
    expect(field(invite, "Via")).toMatch(new RegExp(`^SIP/2.0/TLS ${running.host}:${running.port};`));
    expect(contactOf(invite)).toBe(contact.replace("PORT", String(running.port)));
    desk.reply(respondTo(invite, 200, "OK", { tag: "desk", contact: uri(desk.port), body: SDP }));
    const dialog = await calling;
    await until("the ACK", () => desk.text().includes("ACK sip"));
    const ended = dialog.destroy();
    await until("the BYE", () => desk.text().includes("BYE sip"));
    desk.reply(respondTo(desk.text().slice(desk.text().indexOf("BYE sip")), 200, "OK"));
    await ended;
    expect(running.edge.counters()).toMatchObject({ active_dialogs: 0, transport_errors: 0 });
  });

  it("is found valid under the name in the URI", async () => {
    const running = await startTlsEdge();
    const srf = await connectSrf(running);
    const desk = await startDesk(deskCertificate);
    const calling = srf.createUAC(`sips:desk@localhost:${desk.port}`, { localSdp: SDP });
    await until("the INVITE", () => desk.text().includes("INVITE "));
    desk.reply(respondTo(desk.text(), 486, "Busy Here", { tag: "desk" }));
    await expect(calling).rejects.toMatchObject({ status: 486 });
  });

  it("whose certificate nobody vouches for fails the call with 503, and sees no byte of it", async () => {
    const running = await startTlsEdge({ tls: { ...edgeCertificate } });
    const srf = await connectSrf(running);
    const desk = await startDesk(deskCertificate);
    const calling = srf.createUAC(`sips:desk@127.0.0.1:${desk.port}`, { localSdp: SDP });
    await expect(calling).rejects.toMatchObject({ status: 503 });
    expect(desk.text()).toBe("");
    expect(running.edge.counters()).toMatchObject({ active_requests: 0, active_client_transactions: 0 });
  });

  it("whose certificate is for somebody else fails the call with 503, and sees no byte of it", async () => {
    const running = await startTlsEdge({ tls: { ...edgeCertificate, ca: otherCertificate.cert } });
    const srf = await connectSrf(running);
    const desk = await startDesk(otherCertificate);
    const calling = srf.createUAC(`sips:desk@127.0.0.1:${desk.port}`, { localSdp: SDP });
    await expect(calling).rejects.toMatchObject({ status: 503 });
    expect(desk.text()).toBe("");
  });

  it("is called whatever its certificate says when the edge was told so", async () => {
    const running = await startTlsEdge({ tls: { ...edgeCertificate, verifyPeers: false } });
    const srf = await connectSrf(running);
    const desk = await startDesk(otherCertificate);
    const calling = srf.createUAC(`sips:desk@127.0.0.1:${desk.port}`, { localSdp: SDP });
    await until("the INVITE", () => desk.text().includes("INVITE "));
    desk.reply(respondTo(desk.text(), 200, "OK", { tag: "d", contact: `sips:d@127.0.0.1:${desk.port}`, body: SDP }));
    hangUp(await calling);
  });

  it("cannot be called by an edge without a TLS address", async () => {
    const srf = await connectSrf(await startEdge());
    await expect(srf.createUAC("sips:desk@127.0.0.1:5061", { localSdp: SDP })).rejects.toThrow(
      "requested protocol/transport not available",
    );
  });
});

describe("a TLS address", () => {
  it("needs a certificate and its own key", async () => {
    const listen = [{ transport: "tls" as const, host: "127.0.0.1", port: 0 }];
    await expect(startEdge({ listen })).rejects.toMatchObject({ code: "config_invalid" });
    const tls = { cert: edgeCertificate.cert, key: deskCertificate.key };
    await expect(startEdge({ listen, tls })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("key"),
    });
  });
});
