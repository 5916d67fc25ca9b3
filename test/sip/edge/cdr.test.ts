/** The `cdr:*` frames as drachtio-srf hands them to an app. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { startPhone } from "./support/phone.js";
import { answer, routed, uriOf } from "./support/proxied-call.js";
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

/** A caller whose INVITE is on its way to the desk, through an app that relays and listens. */
async function proxying() {
  const running = await startEdge();
  const desk = await rawPeer(running);
  let seen: Cdr[] = [];
  await connectSrf(running, (app) => {
    seen = listen(app);
    app.invite((req) => void app.proxyRequest(req, uriOf(desk), { remainInDialog: true }));
  });
  const caller = await rawPeer(running);
  const call = callTexts(caller, running);
  caller.send(call.invite());
  return { running, desk, seen, caller, call };
}

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

  it("tell the end of a proxied call when it is said, whether or not the other phone is still there to answer", async () => {
    const { running, desk, seen, caller, call } = await proxying();
    desk.send(answer(desk, await desk.request("INVITE")));
    const ok = await caller.response(200, "INVITE");
    caller.send(call.inDialog("ACK", ok, 1, routed(ok)));
    caller.send(call.inDialog("BYE", ok, 2, routed(ok)));
    await desk.request("BYE");
    await until("the stop", () => brief(seen).includes("stop network normal-release"));
    expect(brief(seen)).not.toContain("stop application normal-release");
    await caller.response(408, "BYE");
    await until("the other stop", () => brief(seen).includes("stop application normal-release"));
    expect(brief(seen).filter((one) => one === "stop network normal-release")).toHaveLength(1);
    expect(running.edge.counters()["active_proxied_calls"]).toBe(0);
  });

  it("tell the end of a proxied call whose other side cannot be reached any more, and the call is forgotten", async () => {
    const { running, desk, seen, caller, call } = await proxying();
    const nowhere = answer(desk, await desk.request("INVITE")).replace(/^Contact: .*$/m, "Contact: <tel:+18005550100>");
    desk.send(nowhere);
    const ok = await caller.response(200, "INVITE");
    caller.send(call.inDialog("BYE", ok, 2, routed(ok)));
    await caller.response(503, "BYE");
    await until("the stop", () => brief(seen).includes("stop network normal-release"));
    expect(running.edge.counters()["active_proxied_calls"]).toBe(0);
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
