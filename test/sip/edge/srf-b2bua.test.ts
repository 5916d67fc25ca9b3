/** drachtio-srf between two real phones: createB2BUA over the edge, every way a call can go. */
import { describe, expect, it } from "vitest";
import type { IncomingCall } from "../../../src/dev/sip-phone.js";
import { QUICK, type RunningEdge, startEdge, until } from "./support/edge.js";
import { startPhone } from "./support/phone.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./support/raw-peer.js";
import { connectSrf, hangUp, type SrfDialog, type TestSrf } from "./support/srf.js";

interface Bridge {
  readonly running: RunningEdge;
  readonly srf: TestSrf;
  readonly legs: { uas: SrfDialog; uac: SrfDialog }[];
  readonly failures: number[];
  readonly ended: string[];
}

/** An app that says 100 at once, as ours does, and bridges every call to `target`. */
async function bridgeTo(target: string, timers = QUICK): Promise<Bridge> {
  const running = await startEdge({ timers });
  const bridge = { running, legs: [] as Bridge["legs"], failures: [] as number[], ended: [] as string[] };
  const srf = await connectSrf(running, (app) =>
    app.invite((req, res) => {
      res.send(100);
      app.createB2BUA(req, res, target, { localSdpB: req.body }).then(
        ({ uas, uac }) => {
          bridge.legs.push({ uas, uac });
          // The guard that every app on srf needs: a BYE that came with the ACK was emitted before this line ran.
          if (!uas.connected) hangUp(uac);
          uas.on("destroy", () => {
            bridge.ended.push("caller");
            hangUp(uac);
          });
          uac.on("destroy", () => {
            bridge.ended.push("callee");
            hangUp(uas);
          });
        },
        (error: { status?: number }) => bridge.failures.push(error.status ?? 0),
      );
    }),
  );
  return { ...bridge, srf };
}

const target = (running: RunningEdge): string => `sip:+18005550100@${running.host}:${running.port}`;
const CALLER = { fromUser: "+14155550100", ringTimeoutMs: 5_000 };

async function untilEmpty(bridge: Bridge): Promise<void> {
  await until("no dialog and no transaction left", () => {
    const counters = bridge.running.edge.counters();
    return (
      counters["active_dialogs"] === 0 &&
      counters["active_requests"] === 0 &&
      counters["active_server_transactions"] === 0 &&
      counters["active_client_transactions"] === 0
    );
  });
  expect(bridge.srf._dialogs.size).toBe(0);
}

describe("a bridged call", () => {
  it("rings, is answered and ends when the caller hangs up", async () => {
    const seen: string[] = [];
    const desk = await startPhone((call) => {
      seen.push(call.fromUser);
      call.ring();
      call.answer();
      call.onEnd((by) => seen.push(by));
    });
    const bridge = await bridgeTo(desk.uri);
    const caller = await startPhone();
    const result = await caller.phone.call({ ...CALLER, targetUri: target(bridge.running) });
    expect(result).toMatchObject({ kind: "answered", provisional: [100, 180] });
    if (result.kind !== "answered") return;
    expect(result.pddMs).toBeGreaterThan(0);
    expect(bridge.running.edge.activeDialogs()).toBe(2);
    await result.call.hangUp();
    await until("the desk's end", () => seen.length === 2);
    expect(seen).toEqual(["+14155550100", "remote"]);
    await untilEmpty(bridge);
    expect(bridge.ended).toEqual(["caller"]);
  });

  it("ends when the called phone hangs up", async () => {
    const calls: IncomingCall[] = [];
    const desk = await startPhone((call) => {
      calls.push(call);
      call.answer();
    });
    const bridge = await bridgeTo(desk.uri);
    const caller = await startPhone();
    const result = await caller.phone.call({ ...CALLER, targetUri: target(bridge.running) });
    if (result.kind !== "answered") throw new Error(`not answered: ${JSON.stringify(result)}`);
    await until("both legs", () => bridge.legs.length === 1);
    await calls[0]?.hangUp();
    expect(await result.call.waitEnd()).toBe("remote");
    await untilEmpty(bridge);
    expect(bridge.ended).toEqual(["callee"]);
  });

  it("passes early media and then the answer", async () => {
    const desk = await startPhone((call) => {
      call.ring(183);
      call.answer();
    });
    const bridge = await bridgeTo(desk.uri);
    const peer = await rawPeer(bridge.running);
    const call = callTexts(peer, bridge.running);
    peer.send(call.invite());
    const early = await peer.response(183);
    expect(early).toContain("m=audio");
    const ok = await peer.response(200);
    expect(field(ok, "To")).toBe(field(early, "To"));
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
    await untilEmpty(bridge);
  });

  it("is refused as the called phone refuses", async () => {
    const desk = await startPhone((call) => call.reject(486, "Busy Here"));
    const bridge = await bridgeTo(desk.uri);
    const caller = await startPhone();
    expect(await caller.phone.call({ ...CALLER, targetUri: target(bridge.running) })).toMatchObject({
      kind: "refused",
      status: 486,
      reason: "Busy Here",
    });
    await untilEmpty(bridge);
    expect(bridge.failures).toEqual([486]);
  });

  it("gets 408 when nobody is where the call goes", async () => {
    const nobody = await rawPeer({ host: "127.0.0.1", port: 9 });
    const bridge = await bridgeTo(`sip:desk@127.0.0.1:${nobody.port}`, { ...QUICK, t1Ms: 50 });
    const caller = await startPhone();
    expect(await caller.phone.call({ ...CALLER, targetUri: target(bridge.running) })).toMatchObject({
      kind: "refused",
      status: 408,
    });
    // Timer A: T1 doubles without a cap until timer B at 64*T1: 0, 1, 3, 7, 15, 31 and 63 times T1. So the last comes T1 before the end, and a busy
    // machine may run every timer of the row a few ms late.
    expect(nobody.inbox.filter((text) => text.startsWith("INVITE")).length).toBe(7);
    await untilEmpty(bridge);
  });
});

describe("a caller who gives up", () => {
  it("while it rings: 487, and the called phone stops ringing", async () => {
    const ends: string[] = [];
    const desk = await startPhone((call) => {
      call.ring();
      call.onEnd((by) => ends.push(by));
    });
    const bridge = await bridgeTo(desk.uri);
    const caller = await startPhone();
    const abort = new AbortController();
    const call = caller.phone.call({ ...CALLER, targetUri: target(bridge.running), signal: abort.signal });
    await until("ringing", () => bridge.running.edge.activeDialogs() === 2);
    abort.abort();
    expect(await call).toEqual({ kind: "canceled" });
    await until("the desk's end", () => ends.length === 1);
    expect(ends).toEqual(["canceled"]);
    await untilEmpty(bridge);
    expect(bridge.failures).toEqual([487]);
  });

  it("before anything rang: the CANCEL to the called phone waits for its first 1xx", async () => {
    const desk = await rawPeer({ host: "127.0.0.1", port: 9 });
    const bridge = await bridgeTo(`sip:desk@127.0.0.1:${desk.port}`);
    const peer = await rawPeer(bridge.running);
    const call = callTexts(peer, bridge.running);
    peer.send(call.invite());
    await peer.response(100);
    const invite = await desk.request("INVITE");
    peer.send(call.cancel());
    await peer.response(200, "CANCEL");
    const terminated = await peer.response(487, "INVITE");
    peer.send(call.ack(terminated));
    expect(desk.inbox.some((text) => text.startsWith("CANCEL"))).toBe(false);
    const reply = (text: string): void => desk.sendTo(bridge.running, text);
    reply(respondTo(invite, 180, "Ringing", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}` }));
    const cancel = await desk.request("CANCEL");
    expect(field(cancel, "Via")).toBe(field(invite, "Via"));
    expect(field(cancel, "CSeq")).toBe(field(invite, "CSeq").replace("INVITE", "CANCEL"));
    reply(respondTo(cancel, 200, "OK", { tag: "desk" }));
    reply(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    expect(field(await desk.request("ACK"), "Via")).toBe(field(invite, "Via"));
    await untilEmpty(bridge);
  });

  it("in the moment the called phone answers: that side is acknowledged and hung up", async () => {
    const desk = await rawPeer({ host: "127.0.0.1", port: 9 });
    const bridge = await bridgeTo(`sip:desk@127.0.0.1:${desk.port}`);
    const peer = await rawPeer(bridge.running);
    const call = callTexts(peer, bridge.running);
    peer.send(call.invite());
    const invite = await desk.request("INVITE");
    const reply = (text: string): void => desk.sendTo(bridge.running, text);
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    reply(respondTo(invite, 180, "Ringing", { tag: "desk", contact }));
    await peer.response(180);
    peer.send(call.cancel());
    const terminated = await peer.response(487, "INVITE");
    peer.send(call.ack(terminated));
    const cancel = await desk.request("CANCEL");
    reply(respondTo(invite, 200, "OK", { tag: "desk", contact, body: SDP }));
    reply(respondTo(cancel, 200, "OK", { tag: "desk" }));
    await desk.request("ACK");
    const bye = await desk.request("BYE");
    reply(respondTo(bye, 200, "OK"));
    await untilEmpty(bridge);
    expect(bridge.legs).toEqual([]);
  });

  it("by BYE in the early dialog instead of CANCEL", async () => {
    const ends: string[] = [];
    const desk = await startPhone((call) => {
      call.ring();
      call.onEnd((by) => ends.push(by));
    });
    const bridge = await bridgeTo(desk.uri);
    const peer = await rawPeer(bridge.running);
    const call = callTexts(peer, bridge.running);
    peer.send(call.invite());
    const ringing = await peer.response(180);
    peer.send(call.inDialog("BYE", `${ringing}\r\nContact: <${target(bridge.running)}>`, 2));
    await peer.response(200, "BYE");
    peer.send(call.ack(await peer.response(487, "INVITE")));
    await until("the desk's end", () => ends[0] === "canceled");
    await untilEmpty(bridge);
  });
});

describe("a hasty caller", () => {
  it("may send ACK and BYE back to back; no leg stays up", async () => {
    const desk = await startPhone((call) => {
      call.ring();
      call.answer();
    });
    const bridge = await bridgeTo(desk.uri);
    const peer = await rawPeer(bridge.running);
    const count = 20;
    for (let i = 0; i < count; i++) {
      const call = callTexts(peer, bridge.running);
      peer.send(call.invite());
      const ok = await peer.next("200", (text) => text.startsWith("SIP/2.0 200 ") && text.includes(call.callId));
      peer.send(call.ack(ok));
      peer.send(call.inDialog("BYE", ok, 2));
      await peer.next("200 to BYE", (text) => text.includes(call.callId) && text.includes("CSeq: 2 BYE"));
    }
    await untilEmpty(bridge);
  });
});
