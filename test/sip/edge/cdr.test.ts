/** The `cdr:*` frames as drachtio-srf hands them to an app. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { startPhone } from "./support/phone.js";
import { callTexts, rawPeer } from "./support/raw-peer.js";
import { connectSrf, hangUp, type SrfDialog, type SrfMessage, type TestSrf } from "./support/srf.js";

interface Cdr {
  readonly kind: string;
  readonly source: string;
  readonly detail: string;
  readonly callId: string;
}

/** @returns everything this app is told, in order */
function listen(app: TestSrf): Cdr[] {
  const seen: Cdr[] = [];
  const note = (kind: string, source: string, detail: string, message: SrfMessage): void => {
    seen.push({ kind, source, detail, callId: message.get("call-id") ?? "" });
  };
  app.on("cdr:attempt", (source: string, _time: string, message: SrfMessage) => note("attempt", source, "", message));
  app.on("cdr:start", (source: string, _time: string, role: string, message: SrfMessage) =>
    note("start", source, role, message),
  );
  app.on("cdr:stop", (source: string, _time: string, reason: string, message: SrfMessage) =>
    note("stop", source, reason, message),
  );
  return seen;
}

const brief = (seen: readonly Cdr[]): string[] => seen.map((one) => `${one.kind} ${one.source} ${one.detail}`.trim());
const target = (running: RunningEdge): string => `sip:+18005550100@${running.host}:${running.port}`;
const CALLER = { fromUser: "+14155550100", ringTimeoutMs: 5_000 };

describe("records of calls", () => {
  it("of a called app tell attempt, start and stop under one Call-ID", async () => {
    const running = await startEdge();
    let seen: Cdr[] = [];
    await connectSrf(running, (app) => {
      seen = listen(app);
      app.invite((req, res) => void app.createUAS(req, res, { localSdp: req.body }));
    });
    const caller = await startPhone();
    const result = await caller.phone.call({ ...CALLER, targetUri: target(running) });
    if (result.kind !== "answered") throw new Error("not answered");
    await result.call.hangUp();
    await until("the stop", () => seen.length === 3);
    expect(brief(seen)).toEqual(["attempt network", "start application uas", "stop network normal-release"]);
    expect(new Set(seen.map((one) => one.callId)).size).toBe(1);
  });

  it("of a calling app tell its side, and who ended it", async () => {
    const running = await startEdge();
    const desk = await startPhone((call) => call.answer());
    let seen: Cdr[] = [];
    const srf = await connectSrf(running, (app) => {
      seen = listen(app);
    });
    const dialog: SrfDialog = await srf.createUAC(desk.uri, { localSdp: "v=0\r\n" });
    hangUp(dialog);
    await until("the stop", () => seen.length === 3);
    expect(brief(seen)).toEqual(["attempt application", "start network uac", "stop application normal-release"]);
  });

  it("tell a refusal and a cancel, also one that is quicker than the app", async () => {
    const running = await startEdge();
    let seen: Cdr[] = [];
    let isRefusing = true;
    await connectSrf(running, (app) => {
      seen = listen(app);
      app.invite((_req, res) => {
        if (isRefusing) res.send(486);
      });
    });
    const peer = await rawPeer(running);
    const refused = callTexts(peer, running);
    peer.send(refused.invite());
    peer.send(refused.ack(await peer.response(486)));
    await until("the stop", () => seen.length === 2);
    isRefusing = false;
    const canceled = callTexts(peer, running);
    peer.send(canceled.invite());
    peer.send(canceled.cancel());
    peer.send(canceled.ack(await peer.response(487, "INVITE")));
    await until("the second stop", () => seen.length === 4);
    expect(brief(seen)).toEqual([
      "attempt network",
      "stop application call-rejected",
      "attempt network",
      "stop network call-canceled",
    ]);
  });

  it("of a proxied call tell both sides, the end without its app", async () => {
    const running = await startEdge();
    const desk = await startPhone((call) => call.answer());
    let seen: Cdr[] = [];
    await connectSrf(running, (app) => {
      seen = listen(app);
      app.invite((req) => void app.proxyRequest(req, desk.uri, { remainInDialog: true }));
    });
    const caller = await startPhone();
    const result = await caller.phone.call({ ...CALLER, targetUri: target(running) });
    if (result.kind !== "answered") throw new Error(`not answered: ${JSON.stringify(result)}`);
    await result.call.hangUp();
    await until("both stops", () => seen.length === 6);
    expect(brief(seen)).toEqual([
      "attempt network",
      "attempt application",
      "start network proxy-uac",
      "start application proxy-uas",
      "stop network normal-release",
      "stop application normal-release",
    ]);
    expect(new Set(seen.map((one) => one.callId)).size).toBe(1);
  });

  it("of a proxied call that reaches nobody end with the answer that the caller got", async () => {
    const running = await startEdge();
    const statuses: number[] = [];
    await connectSrf(running, (app) => {
      app.on("cdr:stop", (_source: string, _time: string, _reason: string, message: SrfMessage) =>
        statuses.push(message.status),
      );
      app.invite((req) => void app.proxyRequest(req, "sip:desk@nowhere.invalid", { remainInDialog: true }));
    });
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    peer.send(call.ack(await peer.response(503)));
    await until("the stop", () => statuses.length === 1);
    expect(statuses).toEqual([503]);
  });

  it("go to one app each, in turn", async () => {
    const running = await startEdge();
    const logs: Cdr[][] = [];
    for (let count = 0; count < 2; count++) await connectSrf(running, (app) => void logs.push(listen(app)));
    await connectSrf(running, (app) => app.invite((_req, res) => res.send(486)));
    const peer = await rawPeer(running);
    for (let count = 0; count < 2; count++) {
      const call = callTexts(peer, running);
      peer.send(call.invite());
      peer.send(call.ack(await peer.response(486)));
    }
    await until("all four", () => logs.flat().length === 4);
    expect(logs.map((log) => brief(log).toSorted())).toEqual([
      ["attempt network", "stop application call-rejected"],
      ["attempt network", "stop application call-rejected"],
    ]);
  });
});
