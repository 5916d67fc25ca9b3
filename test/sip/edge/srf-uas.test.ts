/** drachtio-srf as the called or the calling side: everything inside a dialog, in both directions. */
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
  tagOf,
} from "./support/raw-peer.js";
import {
  connectSrf,
  type SrfDialog,
  type SrfMessage,
  type SrfRequest,
  type SrfResponse,
  type TestSrf,
} from "./support/srf.js";

interface Up {
  readonly running: RunningEdge;
  readonly srf: TestSrf;
  readonly peer: RawPeer;
  readonly call: CallTexts;
  readonly ok: string;
  readonly dialog: SrfDialog;
}

/** A call from a raw peer, answered by srf and acknowledged. */
async function answered(inviteHeaders: readonly string[] = []): Promise<Up> {
  const running = await startEdge();
  const dialogs: SrfDialog[] = [];
  const srf = await connectSrf(running, (app) =>
    app.invite((req, res) => void app.createUAS(req, res, { localSdp: SDP }).then((dialog) => dialogs.push(dialog))),
  );
  const peer = await rawPeer(running);
  const call = callTexts(peer, running);
  peer.send(call.invite({ headers: inviteHeaders }));
  const ok = await peer.response(200);
  const acknowledged = new Promise((resolve) => {
    const wait = (): void => void (dialogs[0] === undefined ? setTimeout(wait, 1) : dialogs[0].once("ack", resolve));
    wait();
  });
  await until("the dialog", () => dialogs.length === 1);
  peer.send(call.ack(ok));
  await acknowledged;
  peer.inbox.length = 0;
  const dialog = dialogs[0];
  if (dialog === undefined) throw new Error("no dialog");
  return { running, srf, peer, call, ok, dialog };
}

describe("an app that answers", () => {
  it("has a dialog with both tags, our Contact and the documented id", async () => {
    const { running, call, ok, dialog } = await answered();
    expect(dialog.id).toBe(`${call.callId};from-tag=${call.fromTag}`);
    expect(dialog.sip).toEqual({ callId: call.callId, remoteTag: call.fromTag, localTag: tagOf(field(ok, "To")) });
    expect(dialog.local.uri).toBe(`sip:${running.host}:${running.port}`);
    expect(contactOf(ok)).toBe(`sip:${running.host}:${running.port}`);
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("hears the caller hang up", async () => {
    const { running, peer, call, ok, dialog } = await answered();
    const ended = new Promise((resolve) => dialog.on("destroy", resolve));
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
    peer.send(call.inDialog("INFO", ok, 3));
    await peer.response(481, "INFO");
  });

  it("hangs up", async () => {
    const { running, peer, dialog } = await answered();
    const ended = dialog.destroy({ headers: { Reason: "Q.850;cause=16" } });
    const bye = await peer.request("BYE");
    expect(bye.split(" ")[1]).toBe(`sip:caller@${peer.host}:${peer.port}`);
    expect(field(bye, "Reason")).toBe("Q.850;cause=16");
    peer.send(respondTo(bye, 200, "OK"));
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("that hangs up before the ACK sends its BYE only after it", async () => {
    const running = await startEdge();
    const ends: Promise<unknown>[] = [];
    await connectSrf(running, (app) =>
      app.invite(
        (req, res) => void app.createUAS(req, res, { localSdp: SDP }).then((dialog) => ends.push(dialog.destroy())),
      ),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const ok = await peer.response(200);
    await until("the app's BYE", () => ends.length === 1);
    await peer.response(200);
    expect(peer.inbox.filter((text) => text.startsWith("BYE"))).toEqual([]);
    peer.send(call.ack(ok));
    peer.send(respondTo(await peer.request("BYE"), 200, "OK"));
    await Promise.all(ends);
  });

  it("cannot answer a second time, and is told so", async () => {
    const running = await startEdge();
    let second: unknown;
    await connectSrf(running, (app) =>
      app.invite((_req, res) => {
        res.send(486);
        const again = Object.create(res) as SrfResponse & { finished: boolean };
        again.finished = false;
        again.send(200, { body: SDP }, (error: unknown) => {
          second = error;
        });
      }),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    peer.send(call.ack(await peer.response(486)));
    await until("the refusal", () => second !== undefined);
    expect(String(second)).toContain("Response not sent due to unknown transaction");
  });

  it("chooses the To tag, sets headers, and may not touch what belongs to the transaction", async () => {
    const running = await startEdge();
    await connectSrf(running, (app) =>
      app.invite((_req, res) => {
        const headers = {
          to: "<sip:x>;tag=chosen",
          Contact: "<sip:me@localhost;x=1>",
          "X-Own": "1",
          Via: "SIP/2.0/UDP evil",
          "Content-Length": "5",
          RSeq: "1",
          Require: "timer",
        };
        res.send(183, "Going On", { headers });
      }),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const early = await peer.response(183);
    expect(early.split("\r\n")[0]).toBe("SIP/2.0 183 Going On");
    expect(tagOf(field(early, "To"))).toBe("chosen");
    expect(field(early, "Contact")).toBe(`<sip:me@${running.host}:${running.port};x=1>`);
    expect(field(early, "X-Own")).toBe("1");
    expect(field(early, "Require")).toBe("timer");
    expect(early).not.toMatch(/evil|RSeq/);
    expect(field(early, "Content-Length")).toBe("0");
    peer.send(call.cancel());
    const terminated = await peer.response(487, "INVITE");
    expect(tagOf(field(terminated, "To"))).toBe("chosen");
    peer.send(call.ack(terminated));
  });

  it("answers OPTIONS when it routed them", async () => {
    const running = await startEdge();
    await connectSrf(running, (app) => app.options((_req, res) => res.send(200, { headers: { Allow: "INVITE" } })));
    const peer = await rawPeer(running);
    for (const hops of ["70", "0"]) {
      peer.send(
        callTexts(peer, running)
          .invite({ body: "" })
          .replaceAll("INVITE", "OPTIONS")
          .replace("Max-Forwards: 70", `Max-Forwards: ${hops}`),
      );
      expect(field(await peer.response(200, "OPTIONS"), "Allow")).toBe("INVITE");
    }
  });
});

describe("requests inside a dialog", () => {
  it("pass from the peer to the app and back", async () => {
    const { peer, call, ok, dialog } = await answered();
    dialog.on("info", (req: SrfRequest, res: SrfResponse) => res.send(200, { headers: { "X-Echo": req.body.length } }));
    peer.send(call.inDialog("INFO", ok, 2, ["X-Digit: 5"], "Signal=5"));
    expect(field(await peer.response(200, "INFO"), "X-Echo")).toBe("8");
  });

  it("out of order are refused with 500 (RFC 3261 §12.2.2)", async () => {
    const { peer, call, ok } = await answered();
    peer.send(call.inDialog("INFO", ok, 9));
    await peer.response(200, "INFO");
    peer.send(call.inDialog("INFO", ok, 8));
    await peer.response(500, "INFO");
  });

  it("pass from the app to the peer, counted and addressed by the dialog", async () => {
    const { running, peer, ok, dialog } = await answered();
    const sequence: number[] = [];
    for (const method of ["INFO", "UPDATE", "NOTIFY"]) {
      const sent = dialog.request({ method, headers: { "X-Test": "yes", From: "<sip:forged@example.com>" } });
      const request = await peer.request(method);
      expect(field(request, "X-Test")).toBe("yes");
      expect(field(request, "From")).toBe(`<sip:+18005550100@${running.host}>;tag=${tagOf(field(ok, "To"))}`);
      sequence.push(Number.parseInt(field(request, "CSeq"), 10));
      peer.send(respondTo(request, 202, "Accepted"));
      expect((await sent).status).toBe(202);
    }
    expect(sequence.map((one) => one - (sequence[0] ?? 0))).toEqual([0, 1, 2]);
  });

  it("re-INVITE by the peer: 100, answered by the app, acknowledged; the new Contact counts from then on", async () => {
    const { running, peer, call, ok, dialog } = await answered();
    const acks: unknown[] = [];
    dialog.on("ack", (req: unknown) => acks.push(req));
    const elsewhere = await rawPeer(running);
    const reinvite = call.inDialog(
      "INVITE",
      ok,
      2,
      [`Contact: <sip:moved@${elsewhere.host}:${elsewhere.port}>`],
      SDP.replace("sendrecv", "sendonly"),
    );
    peer.send(reinvite);
    await peer.response(100);
    const again = await peer.response(200, "INVITE");
    peer.send(call.inDialog("ACK", again, 2));
    await until("the ACK", () => acks.length === 1);
    const ended = dialog.destroy();
    const bye = await elsewhere.request("BYE");
    expect(bye.split(" ")[1]).toBe(`sip:moved@${elsewhere.host}:${elsewhere.port}`);
    elsewhere.send(respondTo(bye, 200, "OK"));
    await ended;
  });

  it("re-INVITE by the app: acknowledged with the dialog's next CSeq", async () => {
    const { peer, dialog } = await answered();
    const modified = dialog.modify(SDP.replace("sendrecv", "sendonly"));
    const reinvite = await peer.request("INVITE");
    expect(reinvite).toContain("a=sendonly");
    peer.send(respondTo(reinvite, 200, "OK", { contact: `sip:caller@${peer.host}:${peer.port}`, body: SDP }));
    const ack = await peer.request("ACK");
    expect(Number.parseInt(field(ack, "CSeq"), 10)).toBe(Number.parseInt(field(reinvite, "CSeq"), 10));
    expect(await modified).toContain("m=audio");
  });

  it("re-INVITEs of both sides at once: the peer's gets 491 (RFC 3261 §14.2)", async () => {
    const { peer, call, ok, dialog } = await answered();
    const modified = dialog.modify(SDP);
    const ours = await peer.request("INVITE");
    peer.send(call.inDialog("INVITE", ok, 2, [`Contact: <sip:caller@${peer.host}:${peer.port}>`], SDP));
    const pending = await peer.response(491);
    peer.send(
      call
        .inDialog("ACK", pending.replace("CSeq", `Contact: <${contactOf(ok)}>\r\nCSeq`), 2)
        .replace("INVITEACK2", "INVITEINVITE2"),
    );
    peer.send(respondTo(ours, 200, "OK", { contact: `sip:caller@${peer.host}:${peer.port}`, body: SDP }));
    await peer.request("ACK");
    await modified;
  });

  it("BYE while a re-INVITE waits: the re-INVITE gets 487, the BYE 200", async () => {
    const { peer, call, ok, dialog } = await answered();
    dialog.on("modify", () => undefined);
    peer.send(call.inDialog("INVITE", ok, 2, [`Contact: <sip:caller@${peer.host}:${peer.port}>`], SDP));
    await peer.response(100);
    peer.send(call.inDialog("BYE", ok, 3));
    await peer.response(487, "INVITE");
    await peer.response(200, "BYE");
  });

  it("with a wrong tag are answered 481 and reach nobody", async () => {
    const { peer, call, ok, dialog } = await answered();
    let seen = 0;
    dialog.on("info", () => {
      seen += 1;
    });
    peer.send(call.inDialog("INFO", ok.replace(/^(To: .*;tag=)\S+/m, "$1wrong"), 2));
    await peer.response(481, "INFO");
    peer.send(call.inDialog("BYE", ok.replace(/^(To: .*;tag=)\S+/m, "$1wrong"), 3));
    await peer.response(481, "BYE");
    expect(seen).toBe(0);
  });
});

describe("route sets", () => {
  it("of a called side: Record-Route in order, copied into the 200, used as Route towards the first", async () => {
    const proxy = await rawPeer({ host: "127.0.0.1", port: 9 });
    const routes = [`<sip:127.0.0.1:${proxy.port};lr>`, "<sip:far.example.com;lr>"];
    const { peer, ok, dialog, running } = await answered(routes.map((route) => `Record-Route: ${route}`));
    expect(ok.match(/^Record-Route: .*$/gm)).toEqual(routes.map((route) => expect.stringContaining(route)));
    const ended = dialog.destroy();
    const bye = await proxy.request("BYE");
    expect(bye.split(" ")[1]).toBe(`sip:caller@${peer.host}:${peer.port}`);
    expect(bye.match(/^Route: .*(?=\r$)/gm)).toEqual(routes.map((route) => `Route: ${route}`));
    proxy.sendTo(running, respondTo(bye, 200, "OK"));
    await ended;
  });

  it("with a strict router: it becomes the request URI, the peer's Contact the last Route", async () => {
    const proxy = await rawPeer({ host: "127.0.0.1", port: 9 });
    const { peer, dialog, running } = await answered([
      `Record-Route: <sip:127.0.0.1:${proxy.port}>, <sip:far.example.com;lr>`,
    ]);
    const ended = dialog.destroy();
    const bye = await proxy.request("BYE");
    expect(bye.split(" ")[1]).toBe(`sip:127.0.0.1:${proxy.port}`);
    expect(bye.match(/^Route: .*(?=\r$)/gm)).toEqual([
      "Route: <sip:far.example.com;lr>",
      `Route: <sip:caller@${peer.host}:${peer.port}>`,
    ]);
    proxy.sendTo(running, respondTo(bye, 200, "OK"));
    await ended;
  });

  it("of a calling side: Record-Route of the 200, reversed", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const dialog = srf.createUAC(`sip:desk@127.0.0.1:${desk.port}`, { localSdp: SDP });
    const invite = await desk.request("INVITE");
    const headers = ["Record-Route: <sip:far.example.com;lr>", `Record-Route: <sip:127.0.0.1:${desk.port};lr>`];
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact: "sip:desk@192.0.2.9", headers, body: SDP }));
    const ack = await desk.request("ACK");
    expect(ack.split(" ")[1]).toBe("sip:desk@192.0.2.9");
    expect(ack.match(/^Route: .*(?=\r$)/gm)).toEqual([
      `Route: <sip:127.0.0.1:${desk.port};lr>`,
      "Route: <sip:far.example.com;lr>",
    ]);
    expect((await dialog).connected).toBe(true);
  });
});

describe("an app that calls", () => {
  it("has every field it left out filled in", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const uri = `sip:desk@127.0.0.1:${desk.port};x=1`;
    void srf
      .createUAC(uri, { localSdp: SDP, callingNumber: "+14155550100", callingName: "A B" })
      .catch(() => undefined);
    const invite = await desk.request("INVITE");
    const own = `${running.host}:${running.port}`;
    expect(invite.split("\r\n")[0]).toBe(`INVITE ${uri} SIP/2.0`);
    expect(field(invite, "Via")).toMatch(new RegExp(`^SIP/2.0/UDP ${own};rport;branch=z9hG4bK[0-9a-f]{32}$`));
    expect(field(invite, "From")).toMatch(new RegExp(`^"A B" <sip:\\+14155550100@${own}>;tag=[0-9a-f]{16}$`));
    expect(field(invite, "To")).toBe(`<${uri}>`);
    expect(field(invite, "Contact")).toBe(`"A B" <sip:+14155550100@${own}>`);
    expect(field(invite, "Max-Forwards")).toBe("70");
    expect(field(invite, "CSeq")).toMatch(/^\d+ INVITE$/);
    expect(field(invite, "Content-Type")).toBe("application/sdp");
    expect(Number(field(invite, "Content-Length"))).toBe(SDP.length);
    desk.send(respondTo(invite, 404, "Not Found", { tag: "x" }));
    await desk.request("ACK");
  });

  it("is challenged and repeats the INVITE with credentials, which the ACK carries too", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    const dialog = srf.createUAC(contact, { localSdp: SDP, auth: { username: "u", password: "p" } });
    const first = await desk.request("INVITE");
    desk.send(
      respondTo(first, 407, "Proxy Authentication Required", {
        tag: "x",
        headers: ['Proxy-Authenticate: Digest realm="r", nonce="n"'],
      }),
    );
    await desk.request("ACK");
    const second = await desk.request("INVITE");
    expect(field(second, "Call-ID")).toBe(field(first, "Call-ID"));
    expect(field(second, "From")).toBe(field(first, "From"));
    expect(Number.parseInt(field(second, "CSeq"), 10)).toBe(Number.parseInt(field(first, "CSeq"), 10) + 1);
    expect(field(second, "Proxy-Authorization")).toContain('username="u"');
    desk.send(respondTo(second, 200, "OK", { tag: "y", contact, body: SDP }));
    expect(field(await desk.request("ACK"), "Proxy-Authorization")).toBe(field(second, "Proxy-Authorization"));
    expect((await dialog).sip.remoteTag).toBe("y");
  });

  it("sends requests outside dialogs and gets their answers, or 408", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const statuses: number[] = [];
    const ask = (uri: string, proxy?: string): void =>
      srf.request(uri, { method: "OPTIONS", ...(proxy === undefined ? {} : { proxy }) }, (_error, req) =>
        req.on("response", (res: SrfMessage) => statuses.push(res.status)),
      );
    ask(`sip:desk@127.0.0.1:${desk.port}`);
    desk.send(respondTo(await desk.request("OPTIONS"), 200, "OK", { tag: "x" }));
    await until("the answer", () => statuses.length === 1);
    ask("sip:someone@far.example.com", `sip:127.0.0.1:${desk.port}`);
    const routed = await desk.request("OPTIONS");
    expect(routed.split(" ")[1]).toBe("sip:someone@far.example.com");
    await until("timer F", () => statuses.length === 2);
    expect(statuses).toEqual([200, 408]);
    expect(running.edge.counters()["active_client_transactions"]).toBe(0);
  });

  it("is told when the far side hangs up", async () => {
    const running = await startEdge();
    const srf = await connectSrf(running);
    const desk = await rawPeer(running);
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    const calling = srf.createUAC(contact, { localSdp: SDP });
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 200, "OK", { tag: "desk", contact, body: SDP }));
    await desk.request("ACK");
    const dialog = await calling;
    const ended = new Promise((resolve) => dialog.on("destroy", resolve));
    const bye = [
      `BYE sip:${running.host}:${running.port} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${desk.port};branch=z9hG4bKdeskbye`,
      `From: ${field(invite, "To")};tag=desk`,
      `To: ${field(invite, "From")}`,
      `Call-ID: ${field(invite, "Call-ID")}`,
      "CSeq: 1 BYE",
      "Max-Forwards: 70",
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n");
    desk.send(bye);
    await desk.response(200, "BYE");
    await ended;
    expect(running.edge.activeDialogs()).toBe(0);
  });
});
