/** What does not deserve a call: strangers, scanners, malformed, looping and unsupported requests; torture.test.ts has RFC 4475 and random ones. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { callTexts, field, type RawPeer, rawPeer } from "./support/raw-peer.js";
import { connectSrf } from "./support/srf.js";

const METHODS = ["invite", "options", "register", "message", "subscribe", "newmethod", "re%47ist%45r"];

/** An app that says yes to everything that reaches it. */
async function agreeable(): Promise<{ running: RunningEdge; peer: RawPeer; reached: string[] }> {
  const running = await startEdge();
  const reached: string[] = [];
  await connectSrf(running, (srf) => {
    for (const method of METHODS) {
      srf.use(method, (req, res) => {
        reached.push(req.get("call-id") ?? "");
        res.send(200);
      });
    }
  });
  return { running, peer: await rawPeer(running), reached };
}

/** Everything sent before has been dealt with: datagrams of one socket are handled in order. */
async function flush(peer: RawPeer, running: RunningEdge): Promise<void> {
  const probe = callTexts(peer, running);
  peer.send(probe.invite({ toTag: "unknown" }).replaceAll("INVITE", "INFO"));
  await peer.next("the probe's 481", (text) => text.includes(probe.callId));
}

describe("sources", () => {
  it("outside the CIDRs get silence, and are let in when the list says so", async () => {
    const running = await startEdge({ sourceCidrs: ["127.0.0.1/32"] });
    const stranger = await rawPeer(running, "127.0.0.2");
    stranger.send(callTexts(stranger, running).invite());
    stranger.send("garbage that would otherwise be counted");
    await until("both dropped", () => running.edge.counters()["dropped_source"] === 2);
    expect(running.edge.counters()).toMatchObject({ malformed: 0, messages_received: 0 });
    expect(stranger.inbox).toEqual([]);
    running.edge.allowSources(["127.0.0.0/8"]);
    stranger.send(callTexts(stranger, running).invite());
    await stranger.response(503);
    running.edge.allowSources([]);
    stranger.send(callTexts(stranger, running).invite());
    await until("dropped again", () => running.edge.counters()["dropped_source"] === 3);
  });

  it("that the edge calls may answer and hang up, and start nothing", async () => {
    const running = await startEdge({ sourceCidrs: ["127.0.0.9/32"] });
    const srf = await connectSrf(running, (app) => app.invite((_req, res) => res.send(200)));
    const desk = await rawPeer(running, "127.0.0.3");
    const contact = `sip:desk@127.0.0.3:${desk.port}`;
    const calling = srf.createUAC(contact, { localSdp: "v=0\r\n" });
    const invite = await desk.request("INVITE");
    desk.send(callTexts(desk, running).invite());
    desk.send(callTexts(desk, running).invite({ toTag: "x" }).replaceAll("INVITE", "INFO"));
    desk.send("INVITE sip:a SIP/2.0\r\nbroken\r\n\r\n");
    const lines = [
      "SIP/2.0 200 OK",
      `Via: ${field(invite, "Via")}`,
      `From: ${field(invite, "From")}`,
      `To: ${field(invite, "To")};tag=d`,
    ];
    desk.send(
      [
        ...lines,
        `Call-ID: ${field(invite, "Call-ID")}`,
        `CSeq: ${field(invite, "CSeq")}`,
        `Contact: <${contact}>`,
        "",
        "",
      ].join("\r\n"),
    );
    await desk.request("ACK");
    await calling;
    expect(running.edge.counters()["dropped_stray_request"]).toBe(2);
    expect(desk.inbox).toEqual([]);
    const via = `Via: SIP/2.0/UDP 127.0.0.3:${desk.port};branch=z9hG4bKbye`;
    const bye = [
      `BYE sip:x@${running.host} SIP/2.0`,
      via,
      `From: ${field(invite, "To")};tag=d`,
      `To: ${field(invite, "From")}`,
    ];
    const text = [...bye, `Call-ID: ${field(invite, "Call-ID")}`, "CSeq: 1 BYE", "Content-Length: 0", "", ""].join(
      "\r\n",
    );
    desk.send(text);
    const ok = await desk.response(200, "BYE");
    // Its answer may be lost: the retransmission is still let in, although the call is over.
    desk.send(text);
    expect(await desk.response(200, "BYE")).toBe(ok);
    await until("all transactions over", () => running.edge.counters()["active_server_transactions"] === 0, 10_000);
    await until("ours too", () => running.edge.counters()["active_client_transactions"] === 0);
    desk.send(text);
    await until("a stranger again", () => running.edge.counters()["dropped_source"] === 1);
  });

  it("must be CIDRs or addresses", async () => {
    const running = await startEdge();
    for (const wrong of ["localhost", "10.0.0.0/33", "1.2.3", "::/129", "10.0.0.0/8/8", ""]) {
      expect(() => running.edge.allowSources([wrong])).toThrow(/is no address range/);
    }
  });
});

describe("scanners", () => {
  it.each([
    "User-Agent: friendly-scanner",
    "User-Agent: SIPVicious/0.3",
    "User-Agent: sipcli/v1.8",
    "User-Agent: sip-cli",
    "user-agent: pplsip",
    "User-Agent: sundayddr",
  ])("get silence: %s", async (agent) => {
    const { running, peer, reached } = await agreeable();
    peer.send(callTexts(peer, running).invite({ headers: [agent] }));
    await until("dropped", () => running.edge.counters()["dropped_scanner"] === 1);
    await flush(peer, running);
    expect(peer.inbox).toEqual([]);
    expect(reached).toEqual([]);
  });

  it("are known by their From as well, but not by a carrier's host name", async () => {
    const { running, peer, reached } = await agreeable();
    const call = callTexts(peer, running);
    peer.send(call.invite().replace('"Caller"', '"sipvicious"'));
    await until("dropped", () => running.edge.counters()["dropped_scanner"] === 1);
    const other = callTexts(peer, running);
    peer.send(other.invite().replace(`@${peer.host}>;tag`, "@sipcli.example.com>;tag"));
    await peer.next("an answer", (text) => text.includes(other.callId) && text.startsWith("SIP/2.0 200"));
    expect(reached).toHaveLength(1);
  });
});

describe("requests that cannot be served", () => {
  const cases: [string, number, (text: string) => string][] = [
    ["no hops left", 483, (text) => text.replace("Max-Forwards: 70", "Max-Forwards: 0")],
    ["another version", 505, (text) => text.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia")],
    ["an unknown scheme", 416, (text) => text.replace(/^INVITE \S+/, "INVITE pigeon:coo")],
    ["a required extension", 420, (text) => text.replace("Max-Forwards", "Require: 100rel, wings\r\nMax-Forwards")],
    ["an unknown dialog", 481, (text) => text.replace(/^To: .*(?=\r)/m, "$&;tag=nope")],
    ["no Contact", 400, (text) => text.replace(/^Contact: .*\r\n/m, "")],
    ["no CSeq method of its own", 400, (text) => text.replace("CSeq: 1 INVITE", "CSeq: 1 BYE")],
    ["a huge CSeq", 400, (text) => text.replace("CSeq: 1", "CSeq: 2147483648")],
    ["two Call-IDs", 400, (text) => text.replace("CSeq", "Call-ID: other\r\nCSeq")],
    ["no From tag", 400, (text) => text.replace(/;tag=from\d+/, "")],
    ["an open quote", 400, (text) => text.replace('"Caller"', '"Caller')],
    ["a line without a colon", 400, (text) => text.replace("CSeq", "Nonsense\r\nCSeq")],
    ["a smuggled line end", 400, (text) => text.replace("Max-Forwards", "X-A: b\nX-C: d\r\nMax-Forwards")],
    [
      "a Content-Length beyond the datagram",
      400,
      (text) => text.replace(/Content-Length: \d+/, "Content-Length: 9000"),
    ],
    ["a header in the request URI", 400, (text) => text.replace(/^INVITE \S+/, "$&?Route=%3Csip:evil%3E")],
    [
      "a header line over 8 KB",
      513,
      (text) => text.replace("Max-Forwards", `X-Long: ${"x".repeat(8_200)}\r\nMax-Forwards`),
    ],
    ["300 header lines", 513, (text) => text.replace("Contact", `${"X-Many: 1\r\n".repeat(300)}Contact`)],
    ["a Call-ID over 256 bytes", 400, (text) => text.replace("Call-ID: ", `Call-ID: ${"c".repeat(256)}`)],
  ];

  it.each(cases)("%s: %i", async (_name, status, change) => {
    const { running, peer, reached } = await agreeable();
    const call = callTexts(peer, running);
    peer.send(change(call.invite()));
    const answer = await peer.response(status);
    expect(field(answer, "Via")).toContain("received=127.0.0.1");
    expect(field(answer, "To")).toContain(";tag=");
    if (status === 420) expect(field(answer, "Unsupported")).toBe("wings");
    peer.send(call.ack(answer));
    expect(reached).toEqual([]);
  });

  it("are not answered when they are ACKs", async () => {
    const { running, peer } = await agreeable();
    peer.send(callTexts(peer, running).invite().replaceAll("INVITE", "ACK"));
    peer.send(
      callTexts(peer, running)
        .invite()
        .replaceAll("INVITE", "ACK")
        .replace(/^From.*\r\n/m, ""),
    );
    await flush(peer, running);
    expect(peer.inbox).toEqual([]);
    expect(running.edge.counters()).toMatchObject({ dropped_stray_ack: 1, malformed: 1 });
  });

  it("CANCEL of nothing: 481", async () => {
    const { running, peer } = await agreeable();
    peer.send(callTexts(peer, running).cancel());
    await peer.response(481, "CANCEL");
  });

  it("the same call over a second path: 482", async () => {
    const running = await startEdge();
    await connectSrf(running, (srf) => srf.invite((_req, res) => res.send(180)));
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    await peer.response(180);
    peer.send(call.invite({ branch: "z9hG4bKother" }));
    await peer.response(482);
  });

  it("a request of our own that comes back: 482", async () => {
    const { running, peer } = await agreeable();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    void srf.createUAC(`sip:desk@127.0.0.1:${desk.port}`, { localSdp: "v=0\r\n" }).catch(() => undefined);
    const invite = await desk.request("INVITE");
    const proxied = invite.replace("Via: ", `Via: SIP/2.0/UDP ${peer.host}:${peer.port};branch=z9hG4bKproxy\r\nVia: `);
    peer.send(
      proxied
        .replace(/^INVITE \S+/, `INVITE sip:+18005550100@${running.host}:${running.port}`)
        .replace(/^Call-ID: .*(?=\r)/m, "$&x"),
    );
    await peer.response(482);
  });
});
