/** drachtio-srf's proxyRequest over the edge: raw peers on both sides, so that every header on the way is seen. */
import { describe, expect, it } from "vitest";
import { QUICK, type RunningEdge, startEdge, until } from "./support/edge.js";
import { answer, fields, fromDesk, routed, uriOf } from "./support/proxied-call.js";
import { callTexts, contactOf, field, type RawPeer, rawPeer, respondTo, SDP, tagOf } from "./support/raw-peer.js";
import { connectSrf, type TestSrf } from "./support/srf.js";

interface ProxyResult {
  readonly connected: boolean;
  readonly finalStatus: number;
  readonly responses: readonly { readonly port: number; readonly msgs: readonly { readonly status: number }[] }[];
}

interface Setup {
  readonly running: RunningEdge;
  readonly srf: TestSrf;
  readonly caller: RawPeer;
  readonly desks: readonly RawPeer[];
  readonly results: (ProxyResult | string)[];
}

async function proxyTo(count: number, options: object = {}, timers: object = {}): Promise<Setup> {
  const running = await startEdge({ timers: { ...QUICK, ...timers } });
  const desks = await Promise.all(Array.from({ length: count }, () => rawPeer(running)));
  const results: (ProxyResult | string)[] = [];
  const srf = await connectSrf(running, (app) =>
    app.invite((req) => {
      app.proxyRequest(req, desks.map(uriOf), { remainInDialog: true, ...options }).then(
        (result) => results.push(result as ProxyResult),
        (error: unknown) => results.push(String(error)),
      );
    }),
  );
  return { running, srf, caller: await rawPeer(running), desks, results };
}

async function answered(setup: Setup) {
  const { caller, running, desks } = setup;
  const [desk] = desks;
  if (desk === undefined) throw new Error("no desk");
  const call = callTexts(caller, running);
  caller.send(call.invite());
  const invite = await desk.request("INVITE");
  desk.send(answer(desk, invite));
  const ok = await caller.response(200, "INVITE");
  caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
  const ack = await desk.request("ACK");
  await until("the result", () => setup.results.length === 1);
  return { call, invite, ok, ack, desk };
}

async function untilEmpty({ running }: Setup): Promise<void> {
  await until("nothing left", () => {
    const counters = running.edge.counters();
    return (
      counters["active_proxied_calls"] === 0 &&
      counters["active_requests"] === 0 &&
      counters["active_server_transactions"] === 0 &&
      counters["active_client_transactions"] === 0
    );
  });
  expect(running.edge.counters()["internal_errors"]).toBe(0);
}

describe("a proxied call", () => {
  it("passes the INVITE on with one hop less, our Via on top and our Record-Route, and the body untouched", async () => {
    const setup = await proxyTo(1, { headers: { "X-Promo": "5" } });
    const { invite, ok, ack } = await answered(setup);
    const { caller, running, desks, results } = setup;
    const [top, below] = fields(invite, "Via");
    expect(top).toContain(`127.0.0.1:${running.port}`);
    expect(below).toContain(`127.0.0.1:${caller.port};rport=${caller.port}`);
    expect(field(invite, "Max-Forwards")).toBe("69");
    expect(fields(invite, "Record-Route")).toEqual([`<sip:127.0.0.1:${running.port};lr>`]);
    expect(field(invite, "Contact")).toContain(`:${caller.port}`);
    expect(field(invite, "X-Promo")).toBe("5");
    expect(invite.split(" ")[1]).toBe(uriOf(desks[0] as RawPeer));
    expect(invite.endsWith(SDP)).toBe(true);
    expect(fields(ok, "Via")).toHaveLength(1);
    expect(field(ok, "Contact")).toContain(`:${desks[0]?.port}`);
    expect(fields(ack, "Route")).toEqual([]);
    expect(results).toMatchObject([
      { connected: true, finalStatus: 200, responses: [{ port: desks[0]?.port, msgs: [{ status: 200 }] }] },
    ]);
  });

  it("ends by the caller's BYE, which passes the edge", async () => {
    const setup = await proxyTo(1);
    const { call, ok, desk } = await answered(setup);
    setup.caller.send(call.inDialog("BYE", ok, 2, routed(ok)));
    const bye = await desk.request("BYE");
    expect(fields(bye, "Via")).toHaveLength(2);
    desk.send(respondTo(bye, 200, "OK"));
    expect(fields(await setup.caller.response(200, "BYE"), "Via")).toHaveLength(1);
    await untilEmpty(setup);
  });

  it("ends by the called phone's BYE after its app has gone", async () => {
    const setup = await proxyTo(1);
    const { invite, desk } = await answered(setup);
    setup.srf.disconnect();
    await until("the app is gone", () => setup.running.edge.counters()["app_lost"] === 1);
    desk.send(fromDesk(desk, invite, "BYE", 1));
    const bye = await setup.caller.request("BYE");
    expect(fields(bye, "Route")).toEqual([]);
    setup.caller.send(respondTo(bye, 200, "OK"));
    await desk.response(200, "BYE");
    await untilEmpty(setup);
  });

  it("carries a re-INVITE and its ACK in both directions", async () => {
    const setup = await proxyTo(1);
    const { invite, desk } = await answered(setup);
    desk.send(
      fromDesk(desk, invite, "INVITE", 1).replace("Content-Length", `Contact: <${uriOf(desk)}>\r\nContent-Length`),
    );
    const again = await setup.caller.request("INVITE");
    setup.caller.send(respondTo(again, 200, "OK", { contact: `sip:caller@127.0.0.1:${setup.caller.port}` }));
    await desk.response(200, "INVITE");
    desk.send(fromDesk(desk, invite, "ACK", 1));
    expect(field(await setup.caller.request("ACK"), "CSeq")).toBe("1 ACK");
  });

  it("passes every copy of a 2xx whose ACK was lost", async () => {
    const setup = await proxyTo(1);
    const { call, invite, ok, desk } = await answered(setup);
    desk.send(answer(desk, invite));
    await setup.caller.response(200, "INVITE");
    setup.caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
    await desk.request("ACK");
  });

  it("is refused with 483 where no hop is left, inside the call too", async () => {
    const setup = await proxyTo(1);
    const { call, ok, desk } = await answered(setup);
    setup.caller.send(call.inDialog("INFO", ok, 2, routed(ok)).replace("Max-Forwards: 70", "Max-Forwards: 0"));
    await setup.caller.response(483, "INFO");
    const other = callTexts(setup.caller, setup.running);
    setup.caller.send(other.invite().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    setup.caller.send(other.ack(await setup.caller.response(483, "INVITE")));
    expect(desk.inbox).toEqual([]);
  });

  it("takes no request of a call it does not know", async () => {
    const setup = await proxyTo(1);
    const { call, ok } = await answered(setup);
    setup.caller.send(call.inDialog("BYE", ok, 2, routed(ok)).replace(`Call-ID: ${call.callId}`, "Call-ID: another"));
    await setup.caller.response(481, "BYE");
  });
});

describe("hunting", () => {
  it("goes on to the next target in turn and acknowledges the busy one by itself", async () => {
    const setup = await proxyTo(2);
    const [first, second] = setup.desks as [RawPeer, RawPeer];
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    const busy = await first.request("INVITE");
    expect(second.inbox).toEqual([]);
    first.send(respondTo(busy, 486, "Busy Here", { tag: "first" }));
    await first.request("ACK");
    const invite = await second.request("INVITE");
    second.send(respondTo(invite, 180, "Ringing", { tag: "second", contact: uriOf(second) }));
    expect(tagOf(field(await setup.caller.response(180), "To"))).toBe("second");
    second.send(answer(second, invite, "second"));
    await setup.caller.response(200, "INVITE");
    await until("the result", () => setup.results.length === 1);
    const [result] = setup.results as ProxyResult[];
    expect(result?.responses.flatMap((one) => one.msgs.map((message) => message.status))).toEqual([486, 200]);
  });

  it("in parallel lets the first answer win and cancels the others", async () => {
    const setup = await proxyTo(2, { forking: "simultaneous" });
    const [first, second] = setup.desks as [RawPeer, RawPeer];
    setup.caller.send(callTexts(setup.caller, setup.running).invite());
    const [one, two] = await Promise.all([first.request("INVITE"), second.request("INVITE")]);
    first.send(respondTo(one, 180, "Ringing", { tag: "first" }));
    await setup.caller.response(180);
    second.send(answer(second, two, "second"));
    expect(tagOf(field(await setup.caller.response(200, "INVITE"), "To"))).toBe("second");
    const cancel = await first.request("CANCEL");
    expect(fields(cancel, "Via")).toEqual(fields(one, "Via").slice(0, 1));
    first.send(respondTo(cancel, 200, "OK"));
    first.send(respondTo(one, 487, "Request Terminated", { tag: "first" }));
    await first.request("ACK");
    expect(setup.results).toMatchObject([{ connected: true, finalStatus: 200 }]);
  });

  it("ends with the best failure, and a 503 of a phone reaches the caller as 500", async () => {
    const setup = await proxyTo(2);
    const [first, second] = setup.desks as [RawPeer, RawPeer];
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    first.send(respondTo(await first.request("INVITE"), 486, "Busy Here", { tag: "a" }));
    second.send(respondTo(await second.request("INVITE"), 503, "Service Unavailable", { tag: "b" }));
    setup.caller.send(call.ack(await setup.caller.response(486, "INVITE")));
    await untilEmpty(setup);
    const alone = await proxyTo(1);
    const again = callTexts(alone.caller, alone.running);
    alone.caller.send(again.invite());
    const desk = alone.desks[0] as RawPeer;
    desk.send(respondTo(await desk.request("INVITE"), 503, "Service Unavailable", { tag: "b" }));
    alone.caller.send(again.ack(await alone.caller.response(500, "INVITE")));
  });

  it("stops at a 6xx", async () => {
    const setup = await proxyTo(2);
    const [first, second] = setup.desks as [RawPeer, RawPeer];
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    first.send(respondTo(await first.request("INVITE"), 603, "Decline", { tag: "a" }));
    setup.caller.send(call.ack(await setup.caller.response(603, "INVITE")));
    expect(second.inbox).toEqual([]);
  });

  it("passes a challenge to the caller", async () => {
    const setup = await proxyTo(1);
    const desk = setup.desks[0] as RawPeer;
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    const headers = ['Proxy-Authenticate: Digest realm="desk", nonce="1"'];
    desk.send(respondTo(await desk.request("INVITE"), 407, "Proxy Authentication Required", { tag: "a", headers }));
    const challenge = await setup.caller.response(407, "INVITE");
    expect(field(challenge, "Proxy-Authenticate")).toContain('realm="desk"');
    setup.caller.send(call.ack(challenge));
  });

  it("follows a redirect by itself when asked to", async () => {
    const setup = await proxyTo(1, { followRedirects: true });
    const desk = setup.desks[0] as RawPeer;
    const other = await rawPeer(setup.running);
    setup.caller.send(callTexts(setup.caller, setup.running).invite());
    desk.send(respondTo(await desk.request("INVITE"), 302, "Moved Temporarily", { tag: "a", contact: uriOf(other) }));
    other.send(answer(other, await other.request("INVITE")));
    await setup.caller.response(200, "INVITE");
    await until("the result", () => setup.results.length === 1);
    expect(setup.results).toMatchObject([{ connected: true }]);
  });

  it("passes a redirect on otherwise", async () => {
    const setup = await proxyTo(1);
    const desk = setup.desks[0] as RawPeer;
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    const contact = "sip:elsewhere@192.0.2.1";
    desk.send(respondTo(await desk.request("INVITE"), 302, "Moved Temporarily", { tag: "a", contact }));
    const moved = await setup.caller.response(302, "INVITE");
    expect(contactOf(moved)).toBe(contact);
    setup.caller.send(call.ack(moved));
  });
});

describe("a proxied call that nobody takes", () => {
  it("given up by the caller is cancelled at the phone, and the caller gets its 487", async () => {
    const setup = await proxyTo(1);
    const desk = setup.desks[0] as RawPeer;
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
    await setup.caller.response(180);
    setup.caller.send(call.cancel());
    await setup.caller.response(200, "CANCEL");
    const cancel = await desk.request("CANCEL");
    desk.send(respondTo(cancel, 200, "OK"));
    desk.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    setup.caller.send(call.ack(await setup.caller.response(487, "INVITE")));
    await untilEmpty(setup);
    expect(setup.results).toMatchObject([{ connected: false, finalStatus: 487 }]);
  });

  it("is cancelled by timer C and answered 408", async () => {
    const setup = await proxyTo(1, {}, { timerCMs: 100 });
    const desk = setup.desks[0] as RawPeer;
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk" }));
    const cancel = await desk.request("CANCEL");
    desk.send(respondTo(cancel, 200, "OK"));
    desk.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    setup.caller.send(call.ack(await setup.caller.response(408, "INVITE")));
    await untilEmpty(setup);
  });

  it("moves on when a target says nothing in the provisional timeout, or rings past the final one", async () => {
    const setup = await proxyTo(3, { provisionalTimeout: "60ms", finalTimeout: "200ms" });
    const [silent, ringing, last] = setup.desks as [RawPeer, RawPeer, RawPeer];
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    await silent.request("INVITE");
    const rung = await ringing.request("INVITE");
    ringing.send(respondTo(rung, 180, "Ringing", { tag: "b" }));
    await ringing.request("CANCEL");
    last.send(answer(last, await last.request("INVITE"), "c"));
    expect(tagOf(field(await setup.caller.response(200, "INVITE"), "To"))).toBe("c");
  });

  it("is answered 408 when the phone is not there at all", async () => {
    const setup = await proxyTo(1);
    const call = callTexts(setup.caller, setup.running);
    setup.caller.send(call.invite());
    setup.caller.send(call.ack(await setup.caller.response(408, "INVITE")));
    await untilEmpty(setup);
    expect(setup.results).toMatchObject([{ connected: false, finalStatus: 408 }]);
  });
});
