/** Every method that an app may send or take, inside a call and outside of one, with headers, body and answer unharmed. */
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { callTexts, field, type RawPeer, rawPeer, respondTo, SDP, tagOf } from "./support/raw-peer.js";
import { rawRequest } from "./support/raw-request.js";
import { connectSrf, type SrfDialog, type SrfMessage, type SrfRequest, type SrfResponse } from "./support/srf.js";

const IN_DIALOG = ["INFO", "MESSAGE", "NOTIFY", "REFER", "OPTIONS", "PUBLISH"];
const OUTSIDE = ["MESSAGE", "OPTIONS", "PUBLISH", "REGISTER", "NOTIFY", "INFO"];
const BODY = "a line\r\n\r\nand one more";
const TEXT = { "Content-Type": "text/plain", "X-Test": "yes" };

async function up() {
  const running = await startEdge();
  const dialogs: SrfDialog[] = [];
  await connectSrf(running, (srf) =>
    srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).then((one) => dialogs.push(one))),
  );
  const peer = await rawPeer(running);
  const call = callTexts(peer, running);
  peer.send(call.invite());
  const ok = await peer.response(200);
  peer.send(call.ack(ok));
  await until("the dialog", () => dialogs.length === 1);
  return { running, peer, call, ok, dialog: dialogs[0] as SrfDialog };
}

/** Requests of no call, for the desk. */
function sender(running: RunningEdge, peer: RawPeer): (method: string) => void {
  const uri = `sip:desk@${running.host}:${running.port}`;
  return (method) => peer.send(rawRequest(peer, { method, uri, from: "<sip:p@example.com>;tag=p", to: `<${uri}>` }));
}

describe("in a call", () => {
  it.each(IN_DIALOG)("%s of the peer is the app's to answer", async (method) => {
    const { peer, call, ok, dialog } = await up();
    const bodies: string[] = [];
    dialog.on(method.toLowerCase(), (req: SrfRequest, res: SrfResponse) => {
      bodies.push(req.body);
      res.send(202, "Taken", { headers: { "X-Answer": "7" } });
    });
    peer.send(
      call.inDialog(method, ok, 2, ["Event: refer", "Subscription-State: active", "Refer-To: <sip:x@y>"], BODY),
    );
    const answer = await peer.response(202, method);
    expect(answer.split("\r\n")[0]).toBe("SIP/2.0 202 Taken");
    expect(field(answer, "X-Answer")).toBe("7");
    expect(tagOf(field(answer, "To"))).toBe(dialog.sip.localTag);
    expect(bodies).toEqual([BODY]);
  });

  it.each(IN_DIALOG)("%s of the app goes to the peer, whose answer comes back", async (method) => {
    const { peer, dialog } = await up();
    const sent = dialog.request({ method, headers: TEXT, body: BODY });
    const request = await peer.request(method);
    expect(request.split(" ")[1]).toBe(`sip:caller@${peer.host}:${peer.port}`);
    expect(field(request, "X-Test")).toBe("yes");
    expect(request.endsWith(`\r\n\r\n${BODY}`)).toBe(true);
    peer.send(respondTo(request, 488, "Not Here", { headers: ["X-Answer: 7"] }));
    const answer = await sent;
    expect([answer.status, answer.reason, answer.get("X-Answer")]).toEqual([488, "Not Here", "7"]);
  });

  it("a REFER's NOTIFYs, `terminated` too, leave the call up", async () => {
    const { running, peer, call, ok, dialog } = await up();
    const states: (string | undefined)[] = [];
    dialog.on("notify", (req: SrfRequest, res: SrfResponse) => {
      states.push(req.get("Subscription-State"));
      res.send(200);
    });
    const sent = dialog.request({ method: "REFER", headers: { "Refer-To": "<sip:other@example.com>" } });
    peer.send(respondTo(await peer.request("REFER"), 202, "Accepted"));
    await sent;
    for (const [cseq, state] of [
      [2, "active;expires=60"],
      [3, "terminated;reason=noresource"],
    ] as const) {
      peer.send(call.inDialog("NOTIFY", ok, cseq, ["Event: refer", `Subscription-State: ${state}`]));
      await peer.response(200, "NOTIFY");
    }
    expect(states).toEqual(["active;expires=60", "terminated;reason=noresource"]);
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("a method that nobody knows is answered 501 by srf, and the call stays", async () => {
    const { running, peer, call, ok } = await up();
    peer.send(call.inDialog("DANCE", ok, 2));
    await peer.response(501, "DANCE");
    expect(running.edge.activeDialogs()).toBe(1);
  });
});

describe("outside a call", () => {
  it.each(OUTSIDE)("%s of the peer reaches the app that routed it, and no other", async (method) => {
    const running = await startEdge();
    const taken: string[] = [];
    await connectSrf(running, (srf) =>
      srf.use(method.toLowerCase(), (req, res) => {
        taken.push(`${req.method} ${req.uri} ${req.body}`);
        res.send(202, { headers: { "X-Answer": "7" } });
      }),
    );
    await connectSrf(running, (srf) => srf.use("subscribe", (_req, res) => res.send(500)));
    const peer = await rawPeer(running);
    const uri = `sip:desk@${running.host}:${running.port}`;
    const from = `<sip:peer@${peer.host}>;tag=p`;
    for (const cseq of [1, 2]) {
      const headers = ["Content-Type: text/plain", "Event: presence", "Subscription-State: active"];
      peer.send(rawRequest(peer, { method, uri, from, to: `<${uri}>`, cseq, headers, body: BODY }));
      const answer = await peer.response(202, method);
      expect(field(answer, "X-Answer")).toBe("7");
      expect(tagOf(field(answer, "To"))).not.toBe("");
    }
    expect(taken).toEqual([`${method} ${uri} ${BODY}`, `${method} ${uri} ${BODY}`]);
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it.each(OUTSIDE)("%s of the app goes out complete, and its answer comes back", async (method) => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const answers: SrfMessage[] = [];
    const uri = `sip:desk@127.0.0.1:${desk.port}`;
    srf.request(uri, { method, headers: { ...TEXT, From: "<sip:me@localhost>" }, body: BODY }, (_error, req) =>
      req.on("response", (res: SrfMessage) => answers.push(res)),
    );
    const request = await desk.request(method);
    expect(field(request, "From")).toMatch(new RegExp(`^<sip:me@${running.host}:${running.port}>;tag=[0-9a-f]{16}$`));
    expect(field(request, "To")).toBe(`<${uri}>`);
    expect(field(request, "CSeq")).toMatch(new RegExp(`^\\d+ ${method}$`));
    expect(request.endsWith(`\r\n\r\n${BODY}`)).toBe(true);
    desk.send(respondTo(request, 200, "OK", { tag: "desk", headers: ["X-Answer: 7"] }));
    await until("the answer", () => answers.length === 1);
    expect([answers[0]?.status, answers[0]?.get("X-Answer")]).toEqual([200, "7"]);
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it.each(["SUBSCRIBE", "REFER"])(
    "%s without a Contact is refused: nobody could send a NOTIFY back",
    async (method) => {
      const running = await startEdge();
      const peer = await rawPeer(running);
      const uri = `sip:desk@${running.host}:${running.port}`;
      const text = rawRequest(peer, { method, uri, from: "<sip:p@example.com>;tag=p", to: `<${uri}>` });
      peer.send(text.replace(/Contact: .*\r\n/, ""));
      expect((await peer.response(400, method)).split("\r\n")[0]).toContain("Missing Contact");
    },
  );

  it.each(["PUBLISH", "FOO"])(
    "%s, which no app routed, gets 405 with what is allowed (RFC 3261 §8.2.1)",
    async (method) => {
      const running = await startEdge();
      await connectSrf(running, (srf) => srf.use("message", (_req, res) => res.send(200)));
      const peer = await rawPeer(running);
      const send = sender(running, peer);
      send(method);
      const refused = await peer.response(405, method);
      expect(refused.split("\r\n")[0]).toBe("SIP/2.0 405 Method Not Allowed");
      expect(field(refused, "Allow")).toBe("INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE");
      expect(refused).not.toContain("Retry-After");
      expect(running.edge.counters()).toMatchObject({ refused_method: 1, refused_no_app: 0 });
    },
  );

  it("what is allowed gets 503 from an app that has not said yet that it takes it, and so does anything without an app", async () => {
    const running = await startEdge();
    const peer = await rawPeer(running);
    const send = sender(running, peer);
    send("FOO");
    expect(Number(field(await peer.response(503, "FOO"), "Retry-After"))).toBeGreaterThan(0);
    await connectSrf(running, (srf) => srf.use("message", (_req, res) => res.send(200)));
    send("OPTIONS");
    expect(Number(field(await peer.response(503, "OPTIONS"), "Retry-After"))).toBeGreaterThan(0);
    expect(running.edge.counters()).toMatchObject({ refused_method: 0, refused_no_app: 2 });
  });
});

describe("a large body", () => {
  it("over TCP reaches the app whole, and the app's reaches the peer", async () => {
    const running = await startEdge();
    await connectSrf(running, (srf) =>
      srf.use("message", (req, res) => res.send(200, { headers: { "Content-Type": "text/plain" }, body: req.body })),
    );
    const socket = connect(running.port, running.host);
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    let received = "";
    socket.on("data", (data) => (received += data.toString("latin1")));
    const uri = `sip:desk@${running.host}:${running.port};transport=tcp`;
    const me = { host: running.host, port: (socket.address() as { port: number }).port };
    const headers = ["Content-Type: text/plain"];
    const body = large(60_000);
    const route = { uri, from: "<sip:p@example.com>;tag=p", to: `<${uri}>` };
    socket.write(rawRequest(me, { method: "MESSAGE", ...route, headers, body }).replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
    await until("the answer", () => received.endsWith(body));
    expect(received.split("\r\n")[0]).toBe("SIP/2.0 200 OK");
  });

  it("of an app, as large as a frame may be, goes out over TCP whole", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    let received = "";
    const server = createServer((socket) => socket.on("data", (data) => (received += data.toString("latin1"))));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const uri = `sip:desk@127.0.0.1:${(server.address() as { port: number }).port};transport=tcp`;
    const body = large(99_000);
    srf.request(uri, { method: "MESSAGE", headers: TEXT, body }, () => undefined);
    await until("the message", () => received.endsWith(body));
    expect(field(received, "Content-Length")).toBe("99000");
  });

  it("of an app that no datagram can carry is answered 503, and nothing is sent", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const answers: number[] = [];
    srf.request(
      `sip:desk@127.0.0.1:${desk.port}`,
      { method: "MESSAGE", headers: TEXT, body: large(70_000) },
      (_error, req) => req.on("response", (res: SrfMessage) => answers.push(res.status)),
    );
    await until("the answer", () => answers.length === 1);
    expect(answers).toEqual([503]);
    expect(desk.inbox).toEqual([]);
  });
});

function large(bytes: number): string {
  return "0123456789abcdef".repeat(Math.ceil(bytes / 16)).slice(0, bytes);
}
