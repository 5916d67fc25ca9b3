/** Lost and repeated packets: every retransmission of RFC 3261 §13 and §17 that the edge owes its peers, with T1 of 25 ms. */
import { describe, expect, it } from "vitest";
import { QUICK, type RunningEdge, startEdge, until } from "./support/edge.js";
import { callTexts, field, rawPeer, respondTo, SDP, tagOf } from "./support/raw-peer.js";
import { connectSrf, type SrfDialog, type SrfRequest, type SrfResponse, type TestSrf } from "./support/srf.js";

/** An app that answers every INVITE at once. */
async function answering(): Promise<{
  running: RunningEdge;
  invites: string[];
  dialogs: SrfDialog[];
  reasons: string[];
}> {
  const running = await startEdge();
  const seen = { running, invites: [] as string[], dialogs: [] as SrfDialog[], reasons: [] as string[] };
  await connectSrf(running, (srf) =>
    srf.invite((req, res) => {
      seen.invites.push(req.get("call-id") ?? "");
      void srf.createUAS(req, res, { localSdp: SDP }).then((dialog) => {
        seen.dialogs.push(dialog);
        dialog.on("destroy", (_bye: SrfRequest, reason: string) => seen.reasons.push(reason));
      });
    }),
  );
  return seen;
}

async function withApp(handler: (req: SrfRequest, res: SrfResponse, srf: TestSrf) => void): Promise<RunningEdge> {
  const running = await startEdge();
  await connectSrf(running, (srf) => srf.invite((req, res) => handler(req, res, srf)));
  return running;
}

const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("an INVITE sent again", () => {
  it("is answered again by what was last said, and the app sees it once", async () => {
    const requests: SrfResponse[] = [];
    const running = await withApp((_req, res) => {
      requests.push(res);
      res.send(180);
    });
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const first = await peer.response(180);
    peer.send(call.invite());
    expect(await peer.response(180)).toBe(first);
    expect(requests).toHaveLength(1);
    expect(running.edge.counters()["retransmissions_absorbed"]).toBe(1);
    requests[0]?.send(486);
    peer.send(call.ack(await peer.response(486)));
  });

  it("after its 200 is absorbed: only the repeated 200 answers", async () => {
    const seen = await answering();
    const peer = await rawPeer(seen.running);
    const call = callTexts(peer, seen.running);
    peer.send(call.invite());
    const ok = await peer.response(200);
    peer.send(call.ack(ok));
    await until("the ACK", () => seen.running.edge.counters()["dropped_stray_ack"] === 0 && seen.dialogs.length === 1);
    peer.inbox.length = 0;
    peer.send(call.invite());
    await until("the repeated INVITE", () => seen.running.edge.counters()["retransmissions_absorbed"] === 1);
    expect(seen.invites).toHaveLength(1);
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
    expect(peer.inbox.filter((text) => text.includes("100 Trying"))).toEqual([]);
  });
});

describe("a 200 that nobody acknowledges", () => {
  it("is repeated at T1 doubling to T2 and stops with the ACK", async () => {
    const seen = await answering();
    const peer = await rawPeer(seen.running);
    const call = callTexts(peer, seen.running);
    peer.send(call.invite());
    const first = await peer.response(200);
    expect(await peer.response(200)).toBe(first);
    expect(await peer.response(200)).toBe(first);
    peer.send(call.ack(first));
    await settle(30);
    peer.inbox.length = 0;
    await settle(3 * (QUICK.t2Ms ?? 0));
    expect(peer.inbox).toEqual([]);
  });

  it("ends the call after 64*T1: BYE with the reason to the peer, destroy with the reason to the app", async () => {
    const seen = await answering();
    const peer = await rawPeer(seen.running);
    const call = callTexts(peer, seen.running);
    peer.send(call.invite());
    const ok = await peer.response(200);
    const bye = await peer.request("BYE");
    expect(field(bye, "Reason")).toBe('SIP;cause=200;text="ACK timeout"');
    expect(bye.split(" ")[1]).toBe(`sip:caller@${peer.host}:${peer.port}`);
    expect(tagOf(field(bye, "From"))).toBe(tagOf(field(ok, "To")));
    expect(tagOf(field(bye, "To"))).toBe(call.fromTag);
    // 0, 25, 75, 175 ms, then every 100 ms up to 1.6 s: 1 + 2 + 15.
    expect(peer.inbox.filter((text) => text.startsWith("SIP/2.0 200")).length).toBeGreaterThanOrEqual(12);
    peer.send(respondTo(bye, 200, "OK"));
    await until("destroy", () => seen.reasons.length === 1);
    expect(seen.reasons).toEqual(["ACK timeout"]);
    expect(seen.running.edge.counters()).toMatchObject({ active_dialogs: 0, ack_timeouts: 1 });
  });
});

describe("a failure answer", () => {
  it("is repeated until its ACK, which the app never sees", async () => {
    const running = await withApp((_req, res) => res.send(486));
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const busy = await peer.response(486);
    expect(await peer.response(486)).toBe(busy);
    peer.send(call.ack(busy));
    await settle(30);
    peer.inbox.length = 0;
    await settle(200);
    expect(peer.inbox).toEqual([]);
    await until("no transaction", () => running.edge.counters()["active_server_transactions"] === 0);
  });

  it("is given up after 64*T1 without an ACK", async () => {
    const running = await withApp((_req, res) => res.send(486));
    const peer = await rawPeer(running);
    peer.send(callTexts(peer, running).invite());
    await peer.response(486);
    await until("no transaction", () => running.edge.counters()["active_server_transactions"] === 0);
    // Timer G capped at T2: never further apart than 100 ms.
    expect(peer.inbox.filter((text) => text.startsWith("SIP/2.0 486")).length).toBeGreaterThanOrEqual(12);
  });
});

describe("the edge as the calling side", () => {
  /** An app that calls `uri` when told to. */
  async function calling(uri: (desk: { port: number }) => string): Promise<{
    running: RunningEdge;
    srf: TestSrf;
    desk: Awaited<ReturnType<typeof rawPeer>>;
    dialog: Promise<SrfDialog>;
  }> {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const dialog = srf.createUAC(uri(desk), { localSdp: SDP, callingNumber: "+14155550100" });
    dialog.catch(() => undefined);
    return { running, srf, desk, dialog };
  }

  it("acknowledges a repeated 200 again, with the same ACK", async () => {
    const { desk, dialog } = await calling((one) => `sip:desk@127.0.0.1:${one.port}`);
    const invite = await desk.request("INVITE");
    const ok = respondTo(invite, 200, "OK", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}`, body: SDP });
    desk.send(ok);
    const ack = await desk.request("ACK");
    expect(ack.split(" ")[1]).toBe(`sip:desk@127.0.0.1:${desk.port}`);
    expect(Number.parseInt(field(ack, "CSeq"), 10)).toBe(Number.parseInt(field(invite, "CSeq"), 10));
    expect(field(ack, "Via")).not.toBe(field(invite, "Via"));
    desk.send(ok);
    expect(await desk.request("ACK")).toBe(ack);
    expect((await dialog).connected).toBe(true);
  });

  it("acknowledges a repeated failure again by itself", async () => {
    const { desk, dialog } = await calling((one) => `sip:desk@127.0.0.1:${one.port}`);
    const invite = await desk.request("INVITE");
    const busy = respondTo(invite, 486, "Busy Here", { tag: "desk" });
    desk.send(busy);
    const ack = await desk.request("ACK");
    expect(field(ack, "Via")).toBe(field(invite, "Via"));
    expect(tagOf(field(ack, "To"))).toBe("desk");
    desk.send(busy);
    expect(await desk.request("ACK")).toBe(ack);
    await expect(dialog).rejects.toMatchObject({ status: 486 });
  });

  it("takes the first of two branches that answer, and hangs up on the second", async () => {
    const { desk, dialog, running } = await calling((one) => `sip:desk@127.0.0.1:${one.port}`);
    const invite = await desk.request("INVITE");
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    desk.send(respondTo(invite, 200, "OK", { tag: "one", contact, body: SDP }));
    expect(tagOf(field(await desk.request("ACK"), "To"))).toBe("one");
    desk.send(respondTo(invite, 200, "OK", { tag: "two", contact, body: SDP }));
    expect(tagOf(field(await desk.request("ACK"), "To"))).toBe("two");
    const bye = await desk.request("BYE");
    expect(tagOf(field(bye, "To"))).toBe("two");
    expect((await dialog).sip.remoteTag).toBe("one");
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("repeats a BYE until it is answered and then forgets the call", async () => {
    const { desk, dialog, running } = await calling((one) => `sip:desk@127.0.0.1:${one.port}`);
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}`, body: SDP }));
    await desk.request("ACK");
    const ended = (await dialog).destroy();
    const bye = await desk.request("BYE");
    expect(await desk.request("BYE")).toBe(bye);
    expect(await desk.request("BYE")).toBe(bye);
    desk.send(respondTo(bye, 200, "OK"));
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("ends an answered call that the app never acknowledges", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    srf.request(`sip:desk@127.0.0.1:${desk.port}`, { method: "INVITE", body: SDP }, () => undefined);
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}`, body: SDP }));
    await desk.request("ACK");
    expect(field(await desk.request("BYE"), "Reason")).toContain("the application sent no ACK");
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("gives a cancelled INVITE up when no final answer comes, and hangs up on a late 200", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    let sent: SrfRequest | undefined;
    const dialog = srf.createUAC(
      contact,
      { localSdp: SDP },
      { cbRequest: (_error: unknown, req: SrfRequest) => (sent = req) },
    );
    const refused = expect(dialog).rejects.toMatchObject({ status: 487 });
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk", contact }));
    await until("ringing", () => running.edge.activeDialogs() === 1);
    sent?.cancel();
    await desk.request("CANCEL");
    await refused;
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact, body: SDP }));
    await desk.request("ACK");
    const bye = await desk.request("BYE");
    desk.send(respondTo(bye, 200, "OK"));
    await until(
      "nothing left",
      () => running.edge.activeDialogs() === 0 && running.edge.counters()["active_requests"] === 0,
    );
  });
});
