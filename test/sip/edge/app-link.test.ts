/** The admin port: who may speak, what is answered, and what happens to calls when an app is silent, missing or lost. */
import { describe, expect, it } from "vitest";
import { systemRandom } from "../../../src/kernel/random.js";
import { type RunningEdge, SECRET, startEdge, until } from "./support/edge.js";
import { rawApp } from "./support/raw-app.js";
import { callTexts, field, rawPeer, respondTo, SDP } from "./support/raw-peer.js";
import { connectSrf, newSrf, type SrfDialog, type SrfResponse } from "./support/srf.js";

describe("an app that connects", () => {
  it("is told the SIP addresses when its secret is right", async () => {
    const running = await startEdge();
    const app = await rawApp(running, { authenticate: false });
    app.send(`m1|authenticate|${SECRET}|blue,green`);
    const place = `udp/127.0.0.1:${running.port},tcp/127.0.0.1:${running.port}`;
    expect(await app.frame("|m1|")).toMatch(
      new RegExp(`^[0-9a-f-]{36}\\|response\\|m1\\|OK\\|${place}\\|v0\\.9\\.\\d+[^|]*\\|${place}$`),
    );
  });

  it("is refused and disconnected with a wrong secret", async () => {
    const running = await startEdge();
    const app = await rawApp(running, { authenticate: false });
    app.send("m1|authenticate|wrong|");
    expect(await app.frame("|m1|")).toMatch(/\|NO\|incorrect secret$/);
    await until("the close", app.isClosed);
    expect(running.edge.counters()["app_auth_failures"]).toBe(1);
  });

  it("makes srf report the failure", async () => {
    const running = await startEdge();
    const srf = newSrf();
    srf.on("error", () => undefined);
    const error = await new Promise((resolve) => {
      srf.on("connect", resolve);
      srf.connect({ ...running.admin, secret: "wrong", reconnect: { maxAttempts: 1 } });
    });
    expect(String(error)).toContain("failed to authenticate");
  });

  it.each(["route|invite", "ping", "sip||\r\nOPTIONS sip:a@127.0.0.1 SIP/2.0\r\n\r\n", "proxy|t|||||||sip:a@b"])(
    "may say nothing before it has authenticated: %s",
    async (payload) => {
      const running = await startEdge();
      const app = await rawApp(running, { authenticate: false });
      app.send(`m1|${payload}`);
      expect(await app.frame("|m1|")).toMatch(/\|NO\|not authenticated$/);
      await until("the close", app.isClosed);
      const peer = await rawPeer(running);
      peer.send(callTexts(peer, running).invite());
      await peer.response(503);
    },
  );

  it.each(["GET / HTTP/1.1\r\n\r\n", "123456#x", "#", "0#", "12a#", "-1#x", "\u0000\u0001\u0002"])(
    "is disconnected for what is no frame: %j",
    async (garbage) => {
      const running = await startEdge();
      const app = await rawApp(running);
      app.sendRaw(garbage);
      await until("the close", app.isClosed);
      expect(running.edge.counters()).toMatchObject({ app_bad_frames: 1, app_lost: 1 });
    },
  );

  it("is disconnected for a message type that nobody knows", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    app.send("m1|dance|now");
    expect(await app.frame("|m1|")).toMatch(/\|NO\|Unknown message type$/);
    await until("the close", app.isClosed);
  });

  it("gets pong, OK for routes, and the reason for what cannot be sent", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    const answers: [string, RegExp][] = [
      ["ping", /\|OK\|pong$/],
      ["route|invite", /\|OK$/],
      ["route|cdr:start", /\|OK$/],
      ["remove_route|options", /\|OK$/],
      ["proxy|t|||||||sip:a@b\r\nINVITE sip:a@b SIP/2.0\r\n\r\n", /\|NOK\|Unknown transaction id: t$/],
      ["sip||\r\nSIP/2.0 200 OK\r\n\r\n", /\|NOK\|transaction id missing$/],
      ["sip|nope|\r\nSIP/2.0 200 OK\r\n\r\n", /\|NOK\|Response not sent due to unknown transaction$/],
      ["sip|nope|\r\nCANCEL sip:a@127.0.0.1 SIP/2.0\r\n\r\n", /\|NOK\|unable to cancel unknown transaction id: nope$/],
      ["sip||call;from-tag=x\r\nBYE sip:placeholder SIP/2.0\r\n\r\n", /\|NOK\|.*unable to find dialog/],
      ["sip||call;from-tag=x\r\nACK sip:a@b SIP/2.0\r\n\r\n", /\|NOK\|ACK for non-success final response/],
      [`sip||\r\nOPTIONS sip:a@127.0.0.1:${running.port} SIP/2.0\r\n\r\n`, /\|NOK\|can not send request to myself$/],
      ["sip||\r\nOPTIONS sip:a@ SIP/2.0\r\n\r\n", /\|NOK\|invalid request-uri/],
      ["sip||\r\nOPTIONS tel:+1800 SIP/2.0\r\n\r\n", /\|NOK\|invalid request-uri/],
      ["sip||\r\nOPTIONS sips:a@127.0.0.1 SIP/2.0\r\n\r\n", /\|NOK\|requested protocol\/transport not available$/],
      ["sip||\r\nOPTIONS sip:a@127.0.0.1:9 SIP/2.0\r\n\r\nbody", /\|NOK\|missing content-type$/],
      ["sip||\r\nnonsense", /\|NOK\|invalid sip message$/],
      ["sip||", /\|NOK\|invalid sip message$/],
    ];
    for (const [index, [payload, expected]] of answers.entries()) {
      app.send(`a${index}|${payload}`);
      expect(await app.frame(`|response|a${index}|`)).toMatch(expected);
    }
    expect(app.isClosed()).toBe(false);
  });

  it("may send frames of 99,999 bytes, in any pieces", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    const head = "big|sip|nope|\r\nSIP/2.0 200 OK\r\nX-Fill: a\r\n\r\n";
    const payload = head + "x".repeat(99_999 - head.length);
    const frame = `99999#${payload}`;
    for (let at = 0; at < frame.length; at += 7_919) app.sendRaw(frame.slice(at, at + 7_919));
    app.send("after|ping");
    await app.frame("|response|big|NOK|");
    await app.frame("|response|after|OK|pong");
  });

  it("gets only the verbs it still routes", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    app.send("r1|route|invite");
    app.send("r2|route|options");
    app.send("r3|remove_route|invite");
    await app.frame("|response|r3|OK");
    const peer = await rawPeer(running);
    peer.send(callTexts(peer, running).invite());
    await peer.response(503);
    peer.send(options(peer, running));
    expect(await app.frame("|sip|network|")).toContain("OPTIONS sip:");
  });

  it("takes turns with the others, however often it routed the verb", async () => {
    const running = await startEdge();
    const apps = [await rawApp(running), await rawApp(running)];
    for (const verb of ["invite", "invite", "INVITE"]) apps[0]?.send(`r|route|${verb}`);
    apps[1]?.send("r|route|invite");
    for (const app of apps) await app.frame("|response|r|OK");
    const peer = await rawPeer(running);
    for (let i = 0; i < 6; i++) {
      peer.send(callTexts(peer, running).invite());
      await peer.response(100);
    }
    await until("six calls", () =>
      apps.every((app) => app.frames.filter((one) => one.includes("|sip|network|")).length === 3),
    );
  });
});

describe("frames to an app", () => {
  it("have the exact leaders that drachtio-server writes", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    app.send("r|route|invite");
    await app.frame("|response|r|OK");
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    const dlg = `${call.callId};from-tag=${call.fromTag}`;
    const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    const time = "\\d\\d:\\d\\d:\\d\\d\\.\\d{6}";
    peer.send(call.invite({ headers: ["x-lower: 1", "X-MiXed: 2", "s: folded\r\n  subject"] }));
    const invite = await app.frame("|sip|network|");
    const [leader = "", message = ""] = split(invite);
    const match = new RegExp(
      `^${uuid}\\|sip\\|network\\|${message.length}\\|udp\\|127\\.0\\.0\\.1\\|${peer.port}\\|${time}\\|(${uuid})\\|\\|127\\.0\\.0\\.1\\|${running.port}\\|$`,
    ).exec(leader);
    const txn = match?.[1] ?? "";
    expect(leader).toMatch(match === null ? "the leader of a new request" : leader);
    expect(message).toContain(`;rport=${peer.port};`);
    expect(message).toContain("\r\nX-Lower: 1\r\n");
    expect(message).toContain("\r\nX-MiXed: 2\r\n");
    expect(message).toContain("\r\nSubject: folded subject\r\n");

    app.send(`m1|sip|${txn}|\r\nSIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n${SDP}`);
    const [echoLeader = "", echo = ""] = split(await app.frame("|response|m1|"));
    expect(echoLeader).toMatch(
      new RegExp(
        `^${uuid}\\|response\\|m1\\|OK\\|application\\|${echo.length}\\|udp\\|127\\.0\\.0\\.1\\|${peer.port}\\|${time}\\|${txn}\\|${escape(dlg)}\\|\\|Msg sent:\\|$`,
      ),
    );
    const ok = await peer.response(200);
    expect(echo).toBe(ok);

    peer.send(call.ack(ok));
    const [ackLeader = ""] = split(await app.frame("|sip|network|"));
    expect(ackLeader).toMatch(new RegExp(`\\|${time}\\|${txn}\\|${escape(dlg)}\\|$`));

    app.send(`m2|sip||${dlg}\r\nINFO sip:placeholder SIP/2.0\r\nContent-Length: 0\r\n\r\n`);
    const [sentLeader = "", sent = ""] = split(await app.frame("|response|m2|"));
    expect(sentLeader).toMatch(
      new RegExp(
        `^${uuid}\\|response\\|m2\\|OK\\|application\\|${sent.length}\\|udp\\|127\\.0\\.0\\.1\\|${running.port}\\|${time}\\|${uuid}\\|Msg sent:\\|$`,
      ),
    );
    const info = await peer.request("INFO");
    expect(sent).toBe(info);
    peer.send(respondTo(info, 200, "OK"));
    const [responseLeader = ""] = split(await app.frame("|sip|network|"));
    expect(responseLeader).toMatch(new RegExp(`\\|${sentLeader.split("|")[10] ?? ""}\\|${escape(dlg)}\\|$`));
  });

  it("echo a 200 before its ACK and BYE, even when those come at once", async () => {
    const running = await startEdge();
    const app = await rawApp(running);
    app.send("r|route|invite");
    await app.frame("|response|r|OK");
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const txn = (await app.frame("|sip|network|")).split("|")[8] ?? "";
    app.send(`ok|sip|${txn}|\r\nSIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n${SDP}`);
    const ok = await peer.response(200);
    peer.send(call.ack(ok));
    peer.send(call.inDialog("BYE", ok, 2));
    await until("three frames", () => app.frames.length === 3);
    expect(
      app.frames.map((frame) => (frame.includes("|response|ok|OK") ? "echo" : (split(frame)[1] ?? "").split(" ")[0])),
    ).toEqual(["echo", "ACK", "BYE"]);
  });

  it("keep every byte of a UTF-8 name and a binary body", async () => {
    const running = await startEdge();
    const names: string[] = [];
    const bodies: string[] = [];
    await connectSrf(running, (srf) =>
      srf.use("message", (req, res) => {
        names.push(req.get("from") ?? "");
        bodies.push(req.body);
        res.send(200, { headers: { "X-Name": "Zoë" } });
      }),
    );
    const peer = await rawPeer(running);
    const text = options(peer, running)
      .replaceAll("OPTIONS", "MESSAGE")
      .replace("From: <", 'From: "Zoë Müller" <')
      .replace("Content-Length: 0\r\n\r\n", "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\n5 € ✓");
    peer.send(Buffer.from(text, "utf8"));
    const ok = await peer.response(200);
    expect(names).toEqual([expect.stringContaining('"Zoë Müller" <')]);
    expect(bodies).toEqual(["5 € ✓"]);
    expect(Buffer.from(ok, "latin1").toString("utf8")).toContain("X-Name: Zoë");
  });
});

describe("a call that no app takes up", () => {
  it("gets 503 with Retry-After when none is connected", async () => {
    const running = await startEdge();
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const refused = await peer.response(503);
    expect(Number(field(refused, "Retry-After"))).toBeGreaterThan(0);
    peer.send(call.ack(refused));
    peer.send(options(peer, running));
    await peer.response(503, "OPTIONS");
    expect(running.edge.counters()["refused_no_app"]).toBe(2);
  });

  it("gets 503 when the app says nothing, and the app is told that it is over", async () => {
    const running = await startEdge();
    let canceled = 0;
    const responses: SrfResponse[] = [];
    await connectSrf(running, (srf) =>
      srf.invite((req, res) => {
        responses.push(res);
        req.on("cancel", () => {
          canceled += 1;
        });
      }),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    await peer.response(100);
    const refused = await peer.response(503);
    expect(Number(field(refused, "Retry-After"))).toBeGreaterThan(0);
    peer.send(call.ack(refused));
    await until("the app's cancel", () => canceled === 1);
    const late = await new Promise((resolve) => responses[0]?.send(200, { body: SDP }, resolve));
    expect(String(late)).toContain("unknown transaction");
    expect(running.edge.counters()).toMatchObject({ app_silent: 1, active_dialogs: 0, active_requests: 0 });
  });

  it("may ring as long as it likes once the app has said 100", async () => {
    const running = await startEdge();
    let pending: SrfResponse | undefined;
    await connectSrf(running, (srf) =>
      srf.invite((_req, res) => {
        pending = res;
        res.send(100);
      }),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    await peer.response(100);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(peer.inbox).toEqual([]);
    pending?.send(480);
    peer.send(call.ack(await peer.response(480)));
  });
});

describe("an app that is lost", () => {
  it("leaves no caller waiting and no line open", async () => {
    const running = await startEdge();
    const desk = await rawPeer(running);
    const dialogs: SrfDialog[] = [];
    const srf = await connectSrf(running, (app) => {
      app.invite((req, res) => {
        if (req.get("x-test") === "answer")
          void app.createUAS(req, res, { localSdp: SDP }).then((one) => dialogs.push(one));
        else {
          res.send(180);
          void app.createUAC(`sip:desk@127.0.0.1:${desk.port}`, { localSdp: SDP }).catch(() => undefined);
        }
      });
    });
    const up = await rawPeer(running);
    const upCall = callTexts(up, running);
    up.send(upCall.invite({ headers: ["X-Test: answer"] }));
    up.send(upCall.ack(await up.response(200)));
    await until("a call that is up", () => dialogs.length === 1);
    const ringing = await rawPeer(running);
    const ringingCall = callTexts(ringing, running);
    ringing.send(ringingCall.invite());
    await ringing.response(180);
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}` }));
    await until("three dialogs", () => running.edge.activeDialogs() === 3);

    srf.disconnect();
    expect(field(await up.request("BYE"), "Reason")).toContain("application disconnected");
    ringing.send(ringingCall.ack(await ringing.response(503)));
    const cancel = await desk.request("CANCEL");
    desk.send(respondTo(cancel, 200, "OK", { tag: "desk" }));
    desk.send(respondTo(invite, 487, "Request Terminated", { tag: "desk" }));
    await until("no dialog", () => running.edge.activeDialogs() === 0);
    expect(running.edge.counters()["app_lost"]).toBe(1);
  });
});

describe("an app that is lost while its call rings somewhere silent", () => {
  it("leaves nothing behind, even when the CANCEL is never answered", async () => {
    const running = await startEdge();
    const desk = await rawPeer(running);
    const srf = await connectSrf(running);
    void srf.createUAC(`sip:desk@127.0.0.1:${desk.port}`, { localSdp: SDP }).catch(() => undefined);
    const invite = await desk.request("INVITE");
    desk.send(respondTo(invite, 180, "Ringing", { tag: "desk", contact: `sip:desk@127.0.0.1:${desk.port}` }));
    await until("ringing", () => running.edge.activeDialogs() === 1);
    srf.disconnect();
    await desk.request("CANCEL");
    const isEmpty = (): boolean => {
      const counters = running.edge.counters();
      return (
        counters["active_dialogs"] === 0 &&
        counters["active_requests"] === 0 &&
        counters["active_client_transactions"] === 0
      );
    };
    await until("nothing left", isEmpty, 10_000);
  });
});

describe("a fault of our own", () => {
  it("costs one packet, not the service", async () => {
    const broken = { ...systemRandom, uuid: () => (failing ? unlucky() : systemRandom.uuid()) };
    let failing = false;
    const unlucky = (): string => {
      failing = false;
      throw new Error("bad luck");
    };
    const running = await startEdge({ random: broken });
    const peer = await rawPeer(running);
    failing = true;
    peer.send(callTexts(peer, running).invite());
    await until("the fault", () => running.edge.counters()["internal_errors"] === 1);
    peer.send(callTexts(peer, running).invite());
    await peer.response(503);
  });
});

describe("drain and stop", () => {
  it("refuse new calls and let those that are up go on", async () => {
    const running = await startEdge();
    await connectSrf(running, (srf) => srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP })));
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    const ok = await peer.response(200);
    peer.send(call.ack(ok));
    running.edge.drain();
    peer.send(callTexts(peer, running).invite());
    expect(Number(field(await peer.response(503), "Retry-After"))).toBeGreaterThan(0);
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
  });

  it("hang up what is left", async () => {
    const running = await startEdge();
    await connectSrf(running, (srf) => srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP })));
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    peer.send(call.ack(await peer.response(200)));
    await until("the ACK", () => running.edge.counters()["messages_received"] === 2);
    const stopped = running.edge.stop();
    const bye = await peer.request("BYE");
    expect(field(bye, "Reason")).toContain("the server stops");
    peer.send(respondTo(bye, 200, "OK"));
    await stopped;
  });
});

function options(peer: { host: string; port: number }, running: RunningEdge): string {
  return callTexts(peer, running)
    .invite({ body: "" })
    .replaceAll("INVITE", "OPTIONS")
    .replace(/From: "Caller" </, "From: <");
}

function split(frame: string): string[] {
  const end = frame.indexOf("\r\n");
  return end === -1 ? [frame, ""] : [frame.slice(0, end), frame.slice(end + 2)];
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
