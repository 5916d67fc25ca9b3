/** Frames of the drachtio wire protocol that srf's behaviour rests on, word by word; app-link.test.ts has those of a plain call. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge } from "./support/edge.js";
import { type RawApp, rawApp } from "./support/raw-app.js";
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

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const TIME = "\\d\\d:\\d\\d:\\d\\d\\.\\d{6}";

interface Called {
  readonly running: RunningEdge;
  readonly app: RawApp;
  readonly peer: RawPeer;
  readonly call: CallTexts;
  readonly txn: string;
  readonly dlg: string;
}

/** An INVITE has reached the app. */
async function called(headers: readonly string[] = []): Promise<Called> {
  const running = await startEdge();
  const app = await rawApp(running);
  app.send("r|route|invite");
  await app.frame("|response|r|OK");
  const peer = await rawPeer(running);
  const call = callTexts(peer, running);
  peer.send(call.invite({ headers }));
  const txn = (await app.frame("|sip|network|")).split("|")[8] ?? "";
  return { running, app, peer, call, txn, dlg: `${call.callId};from-tag=${call.fromTag}` };
}

const ok = (txn: string): string => `ok|sip|${txn}|\r\nSIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n${SDP}`;

/** Leader and message of a frame. */
function split(frame: string): [string, string] {
  const end = frame.indexOf("\r\n");
  return end === -1 ? [frame, ""] : [frame.slice(0, end), frame.slice(end + 2)];
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function network(what: { message: string; port: number; txn: string; dlg: string }): RegExp {
  const { message, port, txn, dlg } = what;
  return new RegExp(
    `^${UUID}\\|sip\\|network\\|${message.length}\\|udp\\|127\\.0\\.0\\.1\\|${port}\\|${TIME}\\|${txn}\\|${escape(dlg)}\\|$`,
  );
}

describe("a CANCEL", () => {
  it("before the app said anything has the INVITE's TXN and no dialog id", async () => {
    const { app, peer, call, txn } = await called();
    peer.send(call.cancel());
    const [leader, message] = split(await app.frame("CANCEL sip:"));
    expect(leader).toMatch(network({ message, port: peer.port, txn, dlg: "" }));
    expect(field(message, "Call-ID")).toBe(call.callId);
  });

  it("after a 1xx of the app has the dialog id as well", async () => {
    const { app, peer, call, txn, dlg } = await called();
    app.send(`ring|sip|${txn}|\r\nSIP/2.0 180 Ringing\r\n\r\n`);
    await app.frame("|response|ring|OK|application|");
    peer.send(call.cancel());
    const [leader, message] = split(await app.frame("CANCEL sip:"));
    expect(leader).toMatch(network({ message, port: peer.port, txn, dlg }));
    app.send(`late|sip|${txn}|\r\nSIP/2.0 487 Request Terminated\r\n\r\n`);
    expect(await app.frame("|late|")).toMatch(/\|NOK\|Response not sent due to unknown transaction$/);
  });
});

describe("requests in a dialog", () => {
  it("have a TXN of their own and the dialog's id, which is the first INVITE's for ever", async () => {
    const { app, peer, call, txn, dlg } = await called();
    app.send(ok(txn));
    const answer = await peer.response(200);
    peer.send(call.ack(answer));
    await app.frame("ACK sip:");
    peer.send(call.inDialog("INFO", answer, 2));
    const [leader, message] = split(await app.frame("INFO sip:"));
    expect(leader).toMatch(network({ message, port: peer.port, txn: UUID, dlg }));
    expect(leader).not.toContain(txn);
    app.send(`i|sip|${leader.split("|")[8] ?? ""}|\r\nSIP/2.0 200 OK\r\n\r\n`);
    expect(split(await app.frame("|response|i|OK"))[0]).toMatch(new RegExp(`\\|${escape(dlg)}\\|\\|Msg sent:\\|$`));
  });

  it("are found by their Call-ID where a frame names no dialog", async () => {
    const { app, peer, call, txn } = await called();
    app.send(ok(txn));
    const answer = await peer.response(200);
    peer.send(call.ack(answer));
    app.send(`m|sip||\r\nMESSAGE sip:placeholder SIP/2.0\r\nCall-ID: ${call.callId}\r\n\r\n`);
    const message = await peer.request("MESSAGE");
    expect(message.split(" ")[1]).toBe(`sip:caller@${peer.host}:${peer.port}`);
    expect(field(message, "To")).toContain(`;tag=${call.fromTag}`);
  });

  it("are refused to an app that does not have the dialog", async () => {
    const { running, app, peer, call, txn, dlg } = await called();
    app.send(ok(txn));
    peer.send(call.ack(await peer.response(200)));
    await app.frame("ACK sip:");
    const stranger = await rawApp(running);
    stranger.send(`b|sip||${dlg}\r\nBYE sip:placeholder SIP/2.0\r\n\r\n`);
    expect(await stranger.frame("|b|")).toMatch(/\|NOK\|Server error: unable to find dialog for dialog id provided$/);
    expect(running.edge.activeDialogs()).toBe(1);
  });
});

describe("what an app sent", () => {
  it("is echoed as it went out: INVITE, ACK, CANCEL, BYE, each with a TXN", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    const desk = await rawPeer(running);
    const contact = `sip:desk@127.0.0.1:${desk.port}`;
    const echo = async (id: string, sent: string): Promise<string> => {
      const [leader, message] = split(await app.frame(`|response|${id}|OK`));
      const own = `udp\\|127\\.0\\.0\\.1\\|${running.port}`;
      const expected = `^${UUID}\\|response\\|${id}\\|OK\\|application\\|${sent.length}\\|${own}\\|${TIME}\\|(${UUID})\\|Msg sent:\\|$`;
      expect(leader).toMatch(new RegExp(expected));
      expect(message).toBe(sent);
      return leader.split("|")[10] ?? "";
    };
    const invite = (id: string): void =>
      app.send(`${id}|sip||\r\nINVITE ${contact} SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n${SDP}`);

    invite("one");
    const cancelled = await desk.request("INVITE");
    const txn = await echo("one", cancelled);
    desk.send(respondTo(cancelled, 180, "Ringing", { tag: "desk", contact }));
    const ringing = split(await app.frame("SIP/2.0 180"))[0];
    const dlg = `${field(cancelled, "Call-ID")};from-tag=${/tag=(\S+)/.exec(field(cancelled, "From"))?.[1] ?? ""}`;
    expect(ringing).toContain(`|${txn}|${dlg}|`);
    app.send(`c|sip|${txn}|\r\nCANCEL ${contact} SIP/2.0\r\nReason: SIP;cause=200\r\n\r\n`);
    const cancel = await desk.request("CANCEL");
    await echo("c", cancel);
    expect(field(cancel, "Reason")).toBe("SIP;cause=200");
    desk.send(respondTo(cancel, 200, "OK"));
    desk.send(respondTo(cancelled, 487, "Request Terminated", { tag: "desk" }));
    await app.frame("SIP/2.0 487");

    invite("two");
    const answered = await desk.request("INVITE");
    await echo("two", answered);
    desk.send(respondTo(answered, 200, "OK", { tag: "desk", contact, body: SDP }));
    const id = split(await app.frame("SIP/2.0 200"))[0].split("|")[9] ?? "";
    app.send(`a|sip||${id}\r\nACK sip:placeholder SIP/2.0\r\n\r\n`);
    await desk.request("ACK");
    app.send(`b|sip||${id}\r\nBYE sip:placeholder SIP/2.0\r\n\r\n`);
    await echo("b", await desk.request("BYE"));
  });

  it("may not set what is the edge's, and has its small letters raised", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    const desk = await rawPeer(running);
    const forged = ["Via: SIP/2.0/UDP evil", "Route: <sip:evil;lr>", "Record-Route: <sip:evil;lr>", "RSeq: 1"];
    const headers = [...forged, "Content-Length: 99", "Max-Forwards: 1", "x-own-thing: 1", "X-oTHER: 2", "bad name: 3"];
    app.send(`m|sip||\r\nOPTIONS sip:desk@127.0.0.1:${desk.port} SIP/2.0\r\n${headers.join("\r\n")}\r\n\r\n`);
    const request = await desk.request("OPTIONS");
    expect(request).not.toMatch(/evil|RSeq|bad name/);
    expect(request).toMatch(/\r\nContent-Length: 0\r\n/);
    expect(field(request, "Max-Forwards")).toBe("70");
    expect(request).toContain("\r\nX-Own-Thing: 1\r\n");
    expect(request).toContain("\r\nX-oTHER: 2\r\n");
  });

  it("finds another way than its request URI when it names one, and the URI stays", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    const gateway = await rawPeer(running);
    for (const way of [
      `sip:127.0.0.1:${gateway.port}`,
      `127.0.0.1:${gateway.port}`,
      `sip:127.0.0.1:${gateway.port};lr`,
    ]) {
      app.send(`m|sip|||${way}\r\nMESSAGE sip:a@far.example.com SIP/2.0\r\nContent-Type: text/plain\r\n\r\nhello`);
      expect((await gateway.request("MESSAGE")).split(" ")[1]).toBe("sip:a@far.example.com");
    }
  });
});

describe("a BYE of the edge's own", () => {
  it("reaches the app as `unsolicited` from `application`, with the reason", async () => {
    const { app, peer, txn, dlg } = await called();
    app.send(ok(txn));
    await peer.response(200);
    const bye = await peer.request("BYE");
    const [leader, message] = split(await app.frame("|unsolicited|"));
    expect(leader).toMatch(
      new RegExp(
        `^${UUID}\\|sip\\|application\\|${message.length}\\|udp\\|127\\.0\\.0\\.1\\|${peer.port}\\|${TIME}\\|unsolicited\\|${escape(dlg)}\\|$`,
      ),
    );
    expect(message).toBe(bye);
    expect(field(message, "Reason")).toBe('SIP;cause=200;text="ACK timeout"');
    peer.send(respondTo(bye, 200, "OK"));
  });
});

describe("a call that the app hands over", () => {
  it("is told as `continue` for each final answer, then `done`", async () => {
    const { running, app, peer, call, txn } = await called();
    const [busy, desk] = [await rawPeer(running), await rawPeer(running)];
    const at = (one: RawPeer): string => `sip:desk@127.0.0.1:${one.port}`;
    app.send(
      `p|proxy|${txn}|remainInDialog|fullResponse||serial|2s|10s|${at(busy)}|${at(desk)}\r\nINVITE ${at(busy)} SIP/2.0\r\n\r\n`,
    );
    busy.send(respondTo(await busy.request("INVITE"), 486, "Busy Here", { tag: "busy" }));
    const contact = at(desk);
    desk.send(respondTo(await desk.request("INVITE"), 200, "OK", { tag: "desk", contact, body: SDP }));
    for (const [from, status] of [
      [busy, 486],
      [desk, 200],
    ] as const) {
      const [leader, message] = split(await app.frame("|response|p|OK|network|"));
      expect(leader).toMatch(
        new RegExp(
          `^${UUID}\\|response\\|p\\|OK\\|network\\|${message.length}\\|udp\\|127\\.0\\.0\\.1\\|${from.port}\\|${TIME}\\|\\|\\|continue$`,
        ),
      );
      expect(message).toMatch(new RegExp(`^SIP/2\\.0 ${status} `));
    }
    expect(await app.frame("|response|p|OK|done")).toMatch(new RegExp(`^${UUID}\\|response\\|p\\|OK\\|done$`));
    const answer = await peer.response(200);
    expect(contactOf(answer)).toBe(contact);
    peer.send(call.ack(answer));
  });

  it("with no hop left is refused to the caller, and NOK to the app cannot come: the app never sees it", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    app.send("r|route|invite");
    await app.frame("|response|r|OK");
    const peer = await rawPeer(running);
    peer.send(callTexts(peer, running).invite().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    await peer.response(483);
    expect(app.frames).toEqual([]);
  });
});
