/** RFC 3262 in both directions: provisional answers that are repeated until their PRACK, and PRACKs for those of a destination. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import {
  type CallTexts,
  callTexts,
  contactOf,
  field,
  type RawPeer,
  rawPeer,
  respondTo,
  SDP,
} from "./support/raw-peer.js";
import {
  connectSrf,
  hangUp,
  type SrfDialog,
  type SrfMessage,
  type SrfRequest,
  type SrfResponse,
} from "./support/srf.js";

interface Offered {
  readonly running: RunningEdge;
  readonly peer: RawPeer;
  readonly call: CallTexts;
  readonly req: SrfRequest;
  readonly res: SrfResponse;
}

/** A call that the app has been given and not answered. */
async function offered(headers: readonly string[] = ["Supported: 100rel"]): Promise<Offered> {
  const running = await startEdge();
  const given: { req: SrfRequest; res: SrfResponse }[] = [];
  await connectSrf(running, (srf) => srf.invite((req, res) => void given.push({ req, res })));
  const peer = await rawPeer(running);
  const call = callTexts(peer, running);
  peer.send(call.invite({ headers }));
  await peer.response(100);
  await until("the INVITE at the app", () => given.length === 1);
  const first = given[0];
  if (first === undefined) throw new Error("no INVITE");
  return { running, peer, call, ...first };
}

const RELIABLE = { headers: { Require: "100rel" } };
const prack = (call: CallTexts, answer: string, cseq: number, rack?: string): string =>
  call.inDialog("PRACK", answer, cseq, [`RAck: ${rack ?? `${field(answer, "RSeq")} 1 INVITE`}`]);

describe("an app that asks for 100rel", () => {
  it("has its answer repeated with doubled intervals until the PRACK, which it sees", async () => {
    const { peer, call, res } = await offered();
    const pracks: SrfMessage[] = [];
    res.send(
      183,
      { ...RELIABLE, body: SDP },
      () => undefined,
      (request: SrfMessage) => pracks.push(request),
    );
    const first = await peer.response(183);
    expect(field(first, "RSeq")).toMatch(/^[1-9]\d*$/);
    expect(field(first, "Require")).toBe("100rel");
    expect(contactOf(first)).not.toBe("");
    expect(await peer.response(183)).toBe(first);
    expect(await peer.response(183)).toBe(first);
    peer.send(prack(call, first, 2));
    await peer.response(200, "PRACK");
    expect(pracks).toHaveLength(1);
    peer.inbox.length = 0;
    // Longer than the next interval, 100 ms.
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(peer.inbox).toEqual([]);
    res.send(486);
    await peer.response(486);
  });

  it("is told when the caller does not support it, and nothing is sent", async () => {
    const { peer, res } = await offered([]);
    const failed = new Promise<unknown>((resolve) => res.send(183, RELIABLE, resolve));
    expect(String(await failed)).toContain("Remote endpoint does not support 100rel");
    expect(peer.inbox).toEqual([]);
    res.send(486);
    await peer.response(486);
  });

  it("counts the second one up by one, and sends it after the PRACK of the first", async () => {
    const { peer, call, res } = await offered();
    res.send(183, RELIABLE);
    res.send(180, RELIABLE);
    const first = await peer.response(183);
    await peer.response(183);
    expect(peer.inbox.filter((text) => text.startsWith("SIP/2.0 180"))).toEqual([]);
    peer.send(prack(call, first, 2));
    const second = await peer.response(180);
    expect(Number(field(second, "RSeq"))).toBe(Number(field(first, "RSeq")) + 1);
    peer.send(prack(call, second, 3));
    await peer.response(200, "PRACK");
  });

  it("has its 200 held back until SDP in a provisional answer is acknowledged", async () => {
    const { running, peer, call, res } = await offered();
    res.send(183, { ...RELIABLE, body: SDP });
    res.send(200, { body: SDP });
    const first = await peer.response(183);
    await peer.response(183);
    expect(peer.inbox.filter((text) => text.startsWith("SIP/2.0 200"))).toEqual([]);
    peer.send(prack(call, first, 2));
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 3));
    // The app took no dialog, so srf says 404; the call is over for the edge whatever it says.
    await peer.next("an answer to the BYE", (text) => text.includes("CSeq: 3 BYE"));
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("may answer at once when there was no SDP; the late PRACK is still good", async () => {
    const { peer, call, res } = await offered();
    res.send(180, RELIABLE);
    const ringing = await peer.response(180);
    res.send(200, { body: SDP });
    const ok = await peer.response(200, "INVITE");
    peer.send(call.ack(ok));
    peer.send(prack(call, ringing, 2));
    await peer.response(200, "PRACK");
  });

  it("loses the call with 504 when no PRACK comes, and is told", async () => {
    const { running, peer, call, req, res } = await offered();
    const canceled = new Promise((resolve) => req.on("cancel", resolve));
    res.send(183, { ...RELIABLE, body: SDP });
    peer.send(call.ack(await peer.response(504)));
    await canceled;
    expect(running.edge.counters()).toMatchObject({ prack_timeouts: 1, active_dialogs: 0, active_requests: 0 });
  });

  it("learns that a 200 which waited for the PRACK was not sent", async () => {
    const { running, peer, call, res } = await offered();
    const failed = new Promise<unknown>((resolve) => {
      res.send(183, { ...RELIABLE, body: SDP });
      res.send(200, { body: SDP }, resolve);
    });
    peer.send(call.ack(await peer.response(504)));
    expect(String(await failed)).toContain("unknown transaction");
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it.each([
    ["another number", "1 1 INVITE", 481],
    ["another INVITE", "RSEQ 7 INVITE", 481],
    ["nothing readable", "INVITE", 400],
  ])("does not see a PRACK that names %s", async (_name, rack, status) => {
    const { peer, call, res } = await offered();
    res.send(183, RELIABLE);
    const first = await peer.response(183);
    peer.send(prack(call, first, 2, rack.replace("RSEQ", field(first, "RSeq"))));
    await peer.response(status, "PRACK");
    peer.send(prack(call, first, 3));
    await peer.response(200, "PRACK");
  });
});

describe("a caller that requires 100rel", () => {
  it("gets reliable answers from an app that knows nothing of it", async () => {
    const { peer, call, res } = await offered(["Require: 100rel"]);
    res.send(180);
    const ringing = await peer.response(180);
    expect(field(ringing, "Require")).toBe("100rel");
    peer.send(prack(call, ringing, 2));
    await peer.response(200, "PRACK");
    res.send(486);
    await peer.response(486);
  });

  it("may cancel while an answer waits for its PRACK", async () => {
    const { running, peer, call, res } = await offered(["Require: 100rel"]);
    res.send(180);
    await peer.response(180);
    peer.send(call.cancel());
    await peer.response(200, "CANCEL");
    peer.send(call.ack(await peer.response(487)));
    peer.inbox.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(peer.inbox.filter((text) => text.startsWith("SIP/2.0 180"))).toEqual([]);
    expect(running.edge.activeDialogs()).toBe(0);
  });
});

describe("a destination that answers reliably", () => {
  async function calling(): Promise<{ desk: RawPeer; running: RunningEdge; invite: string; up: Promise<SrfDialog> }> {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const uri = `sip:desk@${desk.host}:${desk.port}`;
    const up = srf.createUAC(uri, { localSdp: SDP, headers: { Supported: "100rel" } });
    up.catch(() => undefined);
    const invite = await desk.request("INVITE");
    expect(field(invite, "Supported")).toBe("100rel");
    return { desk, running, invite, up };
  }
  const ring = (desk: RawPeer, invite: string, status: number, seq: number): void =>
    desk.send(
      respondTo(invite, status, "Ringing", {
        tag: "desk",
        contact: `sip:desk@${desk.host}:${desk.port}`,
        headers: ["Require: 100rel", `RSeq: ${seq}`],
      }),
    );

  it("gets one PRACK in the early dialog for each, also when it repeats itself", async () => {
    const { desk, running, invite, up } = await calling();
    ring(desk, invite, 183, 500);
    const first = await desk.request("PRACK");
    expect(field(first, "RAck")).toBe(`500 ${field(invite, "CSeq")}`);
    expect(field(first, "To")).toContain(";tag=desk");
    desk.send(respondTo(first, 200, "OK"));
    ring(desk, invite, 183, 500);
    // Not in order: it is not acknowledged before 501 was.
    ring(desk, invite, 180, 502);
    ring(desk, invite, 180, 501);
    const second = await desk.request("PRACK");
    expect(field(second, "RAck")).toBe(`501 ${field(invite, "CSeq")}`);
    desk.send(respondTo(second, 200, "OK"));
    expect(running.edge.counters()["retransmissions_absorbed"]).toBe(2);

    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact: `sip:desk@${desk.host}:${desk.port}`, body: SDP }));
    const ack = await desk.request("ACK");
    expect(Number.parseInt(field(ack, "CSeq"), 10)).toBe(Number.parseInt(field(invite, "CSeq"), 10));
    hangUp(await up);
    const bye = await desk.request("BYE");
    expect(Number.parseInt(field(bye, "CSeq"), 10)).toBe(Number.parseInt(field(second, "CSeq"), 10) + 1);
    desk.send(respondTo(bye, 200, "OK"));
  });
});
