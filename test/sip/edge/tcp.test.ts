/** Callers on TCP: messages in any pieces, keep-alives, limits, and answers on the connection of the request. */
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { answer, fromDesk, routed, uriOf } from "./support/proxied-call.js";
import { callTexts, type CallTexts, contactOf, field, rawPeer, SDP, tagOf } from "./support/raw-peer.js";
import { connectSrf, type SrfDialog, type SrfResponse } from "./support/srf.js";

interface TcpPeer {
  readonly host: string;
  readonly port: number;
  readonly socket: Socket;
  /** Everything received. */
  text(): string;
  count(part: string): number;
  isClosed(): boolean;
}

async function tcpPeer(running: RunningEdge, host = "127.0.0.1"): Promise<TcpPeer> {
  const socket = connect({ port: running.port, host: running.host, localAddress: host });
  onTestFinished(() => void socket.destroy());
  let received = "";
  let closed = false;
  socket.on("data", (data) => (received += data.toString("latin1")));
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  socket.setNoDelay(true);
  await once(socket, "connect");
  return {
    host,
    port: socket.localPort ?? 0,
    socket,
    text: () => received,
    count: (part) => received.split(part).length - 1,
    isClosed: () => closed,
  };
}

const overTcp = (text: string): string => text.replaceAll("SIP/2.0/UDP", "SIP/2.0/TCP");

/** One call whose texts say TCP, and an app that answers it. */
async function setUp(): Promise<{ running: RunningEdge; peer: TcpPeer; call: CallTexts; dialogs: SrfDialog[] }> {
  const running = await startEdge();
  const dialogs: SrfDialog[] = [];
  await connectSrf(running, (srf) =>
    srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).then((dialog) => dialogs.push(dialog))),
  );
  const peer = await tcpPeer(running);
  return { running, peer, call: callTexts(peer, running), dialogs };
}

describe("a caller on TCP", () => {
  it("is answered on its connection, with a Contact that says tcp, and hung up on over it", async () => {
    const { running, peer, call, dialogs } = await setUp();
    peer.socket.write(overTcp(call.invite()));
    await until("the 200", () => peer.count("SIP/2.0 200 OK") === 1);
    const ok = peer.text().slice(peer.text().indexOf("SIP/2.0 200"));
    expect(field(ok, "Contact")).toBe(`<sip:${running.host}:${running.port};transport=tcp>`);
    peer.socket.write(overTcp(call.ack(ok)));
    await until("the dialog", () => dialogs.length === 1);
    const ended = dialogs[0]?.destroy();
    // The peer does not listen at its Contact: the BYE must come over the connection it has.
    await until("the BYE", () => peer.count("BYE sip:caller@") === 1);
    const bye = peer.text().slice(peer.text().indexOf("BYE sip:caller@"));
    expect(field(bye, "Via")).toMatch(new RegExp(`^SIP/2.0/TCP ${running.host}:${running.port};`));
    const lines = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${field(bye, name)}`);
    peer.socket.write(["SIP/2.0 200 OK", ...lines, "Content-Length: 0", "", ""].join("\r\n"));
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("that lost its connection is hung up on over the one that it has sent on since", async () => {
    const { running, peer, call, dialogs } = await setUp();
    peer.socket.write(overTcp(call.invite()));
    await until("the 200", () => peer.count("SIP/2.0 200 OK") === 1);
    const ok = peer.text().slice(peer.text().indexOf("SIP/2.0 200"));
    peer.socket.write(overTcp(call.ack(ok)));
    await until("the dialog", () => dialogs.length === 1);
    dialogs[0]?.on("modify", (_request: unknown, response: SrfResponse) => response.send(200, { body: SDP }));
    peer.socket.destroy();
    const second = await tcpPeer(running);
    const again = { cseq: 2, branch: "z9hG4bKagain", uri: contactOf(ok), toTag: tagOf(field(ok, "To")) };
    second.socket.write(overTcp(call.invite(again)));
    await until("the second 200", () => second.count("SIP/2.0 200 OK") === 1);
    second.socket.write(overTcp(call.ack(second.text().slice(second.text().indexOf("SIP/2.0 200")))));
    void dialogs[0]?.destroy().catch(() => undefined);
    await until("the BYE", () => second.count("BYE sip:caller@") === 1);
  });

  it("of a proxied call that lost its connection is reached over its next one as well", async () => {
    const running = await startEdge();
    const desk = await rawPeer(running);
    await connectSrf(running, (srf) =>
      srf.invite((req) => void srf.proxyRequest(req, uriOf(desk), { remainInDialog: true }).catch(() => undefined)),
    );
    const peer = await tcpPeer(running);
    const call = callTexts(peer, running);
    peer.socket.write(overTcp(call.invite()));
    const invite = await desk.request("INVITE");
    desk.send(answer(desk, invite));
    await until("the 200", () => peer.count("SIP/2.0 200 OK") === 1);
    const ok = peer.text().slice(peer.text().indexOf("SIP/2.0 200"));
    peer.socket.destroy();
    const second = await tcpPeer(running);
    second.socket.write(overTcp(call.inDialog("ACK", ok, 1, routed(ok))));
    await desk.request("ACK");
    desk.send(fromDesk(desk, invite, "BYE", 7));
    await until("the BYE", () => second.count("BYE sip:caller@") === 1);
  });

  it("may put two messages into one segment", async () => {
    const { running, peer, call } = await setUp();
    const other = callTexts(peer, running);
    peer.socket.write(overTcp(call.invite() + other.invite()));
    await until(
      "both answers",
      () => peer.text().includes(`Call-ID: ${call.callId}`) && peer.text().includes(`Call-ID: ${other.callId}`),
    );
    expect(running.edge.counters()["messages_received"]).toBe(2);
  });

  it.each([1, 7, 100])("may split a message into pieces of %i bytes", async (size) => {
    const { running, peer, call } = await setUp();
    const text = `\r\n${overTcp(call.invite())}`;
    for (let at = 0; at < text.length; at += size) {
      peer.socket.write(text.slice(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the 200", () => peer.count("SIP/2.0 200 OK") >= 1);
    expect(running.edge.counters()).toMatchObject({ messages_received: 1, malformed: 0 });
  });

  it("gets a line end for two (RFC 5626 keep-alive)", async () => {
    const { peer } = await setUp();
    peer.socket.write("\r\n\r\n");
    await until("the pong", () => peer.text() === "\r\n");
  });

  it.each([
    ["no Content-Length", (text: string) => text.replace(/Content-Length: \d+\r\n/, ""), "400 Missing Content-Length"],
    [
      "a bad Content-Length",
      (text: string) => text.replace(/Content-Length: \d+/, "Content-Length: -1"),
      "400 Bad Content-Length",
    ],
    [
      "a body over 64 KB",
      (text: string) => text.replace(/Content-Length: \d+/, "Content-Length: 70000"),
      "513 Message Too Large",
    ],
  ])("with %s is answered and disconnected", async (_name, change, answer) => {
    const { running, peer, call } = await setUp();
    peer.socket.write(change(overTcp(call.invite())));
    await until("the close", peer.isClosed);
    expect(peer.text().split("\r\n")[0]).toBe(`SIP/2.0 ${answer}`);
    expect(running.edge.counters()["active_server_transactions"]).toBe(0);
  });

  it.each([
    ["what is no SIP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a header without an end", `INVITE sip:a SIP/2.0\r\n${"X-Long: 1234567890\r\n".repeat(4_000)}`],
  ])("is disconnected for %s", async (_name, text) => {
    const { running, peer } = await setUp();
    peer.socket.write(text);
    await until("the close", peer.isClosed);
    expect(peer.text()).toBe("");
    expect(running.edge.counters()["malformed"]).toBe(1);
  });

  it("outside the CIDRs is disconnected without a byte", async () => {
    const running = await startEdge({ sourceCidrs: ["127.0.0.1/32"] });
    const stranger = await tcpPeer(running, "127.0.0.2");
    await until("the close", stranger.isClosed);
    expect(stranger.text()).toBe("");
    expect(running.edge.counters()["dropped_source"]).toBe(1);
  });
});

describe("a destination on TCP", () => {
  it("that refuses the connection fails the call at once with 503", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    server.close();
    await once(server, "close");
    await expect(srf.createUAC(`sip:desk@127.0.0.1:${port};transport=tcp`, { localSdp: SDP })).rejects.toMatchObject({
      status: 503,
    });
    expect(running.edge.counters()).toMatchObject({
      active_requests: 0,
      active_client_transactions: 0,
      transport_errors: 1,
    });
  });
});

describe("ports", () => {
  it("UDP and TCP share the number that the system chose", async () => {
    const running = await startEdge();
    const peer = await tcpPeer(running);
    expect(peer.socket.remotePort).toBe(running.port);
  });

  it("that are taken are named, and nothing stays open", async () => {
    const first = await startEdge();
    const listen = [
      { transport: "udp" as const, host: "127.0.0.1", port: 0 },
      { transport: "udp" as const, host: first.host, port: first.port },
    ];
    await expect(startEdge({ listen })).rejects.toMatchObject({
      code: "address_taken",
      message: expect.stringContaining("SIP_LISTEN udp/127.0.0.1:"),
    });
    await expect(startEdge({ admin: { ...first.admin, secret: "x" } })).rejects.toMatchObject({
      code: "address_taken",
      message: expect.stringContaining("admin address"),
    });
  });
});
