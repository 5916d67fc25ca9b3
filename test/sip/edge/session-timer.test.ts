/** Session timers (RFC 4028), with seconds of 15 ms: 90 of them last 1.35 s, and a silent peer is hung up on after 60, 0.9 s. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { QUICK, type RunningEdge, startEdge, until } from "./support/edge.js";
import { type CallTexts, callTexts, field, type RawPeer, rawPeer, respondTo, SDP } from "./support/raw-peer.js";
import { connectSrf, hangUp, type SrfDialog } from "./support/srf.js";

const SECOND_MS = 15;
const TIMER = "Supported: timer";

interface Setting {
  readonly running: RunningEdge;
  readonly peer: RawPeer;
  readonly call: CallTexts;
  readonly dialogs: SrfDialog[];
}

async function setUp(options: object = {}): Promise<Setting> {
  const running = await startEdge({ timers: { ...QUICK, sessionSecondMs: SECOND_MS } });
  const dialogs: SrfDialog[] = [];
  await connectSrf(running, (app) =>
    app.invite(
      (req, res) => void app.createUAS(req, res, { localSdp: SDP, ...options }).then((one) => dialogs.push(one)),
    ),
  );
  const peer = await rawPeer(running);
  return { running, peer, call: callTexts(peer, running), dialogs };
}

async function answered(
  headers: readonly string[],
  options: object = {},
): Promise<Setting & { ok: string; dialog: SrfDialog }> {
  const setting = await setUp(options);
  const { peer, call, dialogs } = setting;
  peer.send(call.invite({ headers }));
  const ok = await peer.response(200);
  peer.send(call.ack(ok));
  await until("the dialog", () => dialogs.length === 1);
  const dialog = dialogs[0];
  if (dialog === undefined) throw new Error("no dialog");
  return { ...setting, ok, dialog };
}

describe("a caller with a session timer", () => {
  it("that is too short is refused with 422 and the least interval", async () => {
    const { peer, call, dialogs } = await setUp();
    peer.send(call.invite({ headers: [TIMER, "Session-Expires: 60"] }));
    const refused = await peer.response(422);
    expect(field(refused, "Min-SE")).toBe("90");
    peer.send(call.ack(refused));
    expect(dialogs).toEqual([]);
  });

  it("refreshes itself, and is hung up on when it does not; the app hears why", async () => {
    const { running, peer, ok, dialog } = await answered([TIMER, "Session-Expires: 90"]);
    expect(field(ok, "Session-Expires")).toBe("90;refresher=uac");
    expect(field(ok, "Require")).toBe("timer");
    const ended = new Promise((resolve) => dialog.on("destroy", (_req, reason) => resolve(reason)));
    const bye = await peer.request("BYE");
    expect(field(bye, "Reason")).toContain("Session timer expired");
    peer.send(respondTo(bye, 200, "OK"));
    expect(await ended).toContain("Session timer expired");
    expect(running.edge.counters()).toMatchObject({ sessions_expired: 1, active_dialogs: 0 });
  });

  it.each(["UPDATE", "INVITE"])("stays up by an %s", async (method) => {
    const { peer, call, ok, dialog } = await answered([TIMER, "Session-Expires: 90;refresher=uac"]);
    const start = systemClock.monotonicMs();
    await new Promise((resolve) => setTimeout(resolve, 40 * SECOND_MS));
    const headers = [TIMER, "Session-Expires: 90;refresher=uac"];
    if (method === "UPDATE") peer.send(call.inDialog("UPDATE", ok, 2, headers));
    else peer.send(call.invite({ headers, cseq: 2, toTag: dialog.sip.localTag, branch: `z9hG4bKse${peer.port}` }));
    const refreshed = await peer.response(200, method);
    expect(field(refreshed, "Session-Expires")).toBe("90;refresher=uac");
    if (method === "INVITE") peer.send(call.inDialog("ACK", refreshed, 2));
    await peer.request("BYE");
    expect(systemClock.monotonicMs() - start).toBeGreaterThanOrEqual(95 * SECOND_MS);
  });

  it("has it refreshed by the edge, again and again, with the last SDP and without the app", async () => {
    const changed = SDP.replace("40000", "40004");
    const { running, peer, dialog } = await answered([TIMER, "Session-Expires: 90;refresher=uas"]);
    const answerWith = (request: string, session: string): void =>
      peer.send(
        respondTo(request, 200, "OK", {
          contact: `sip:caller@${peer.host}:${peer.port}`,
          headers: [`Session-Expires: ${session}`, "Require: timer"],
          body: SDP,
        }),
      );
    const modifying = dialog.modify(changed);
    const modify = await peer.request("INVITE");
    expect(field(modify, "Session-Expires")).toBe("90;refresher=uac");
    answerWith(modify, "90;refresher=uac");
    await peer.request("ACK");
    await modifying;
    for (const _round of [1, 2]) {
      const refresh = await peer.request("INVITE");
      expect(refresh.endsWith(changed)).toBe(true);
      expect(field(refresh, "Session-Expires")).toBe("90;refresher=uac");
      answerWith(refresh, "90;refresher=uac");
      const ack = await peer.request("ACK");
      expect(Number.parseInt(field(ack, "CSeq"), 10)).toBe(Number.parseInt(field(refresh, "CSeq"), 10));
    }
    expect(running.edge.counters()).toMatchObject({ sessions_expired: 0, active_dialogs: 1 });
    hangUp(dialog);
    peer.send(respondTo(await peer.request("BYE"), 200, "OK"));
  });

  it("that does not know the call any more when it is refreshed is hung up on", async () => {
    const { peer, dialog } = await answered([TIMER, "Session-Expires: 90;refresher=uas"]);
    const ended = new Promise((resolve) => dialog.on("destroy", resolve));
    peer.send(respondTo(await peer.request("INVITE"), 481, "Call/Transaction Does Not Exist"));
    await ended;
    await peer.request("BYE");
  });

  it("is not bothered with one when it named none", async () => {
    const { running, peer, ok } = await answered([TIMER]);
    expect(field(ok, "Session-Expires")).toBe("");
    // Longer than a session of 90 would last.
    await expect(peer.next("BYE", (text) => text.startsWith("BYE "), 100 * SECOND_MS)).rejects.toThrow("no BYE");
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("gets the shorter interval that the app names", async () => {
    const { ok } = await answered([TIMER, "Session-Expires: 1800"], { headers: { "Session-Expires": "600" } });
    expect(field(ok, "Session-Expires")).toBe("600;refresher=uac");
  });
});

describe("a destination with a session timer", () => {
  it.each([
    ["leaves the refreshing to us", "90;refresher=uac", "INVITE"],
    ["refreshes itself but does not", "90;refresher=uas", "BYE"],
  ])("that %s", async (_name, session, method) => {
    const { running, peer } = await setUp();
    const srf = await connectSrf(running);
    const contact = `sip:desk@${peer.host}:${peer.port}`;
    const calling = srf.createUAC(contact, { localSdp: SDP, headers: { "Session-Expires": "90" } });
    const invite = await peer.request("INVITE");
    expect(field(invite, "Supported")).toBe("timer");
    peer.send(
      respondTo(invite, 200, "OK", { tag: "desk", contact, headers: [`Session-Expires: ${session}`], body: SDP }),
    );
    await calling;
    const next = await peer.next("a refresh or BYE", (text) => /^(INVITE|BYE) /.test(text));
    expect(next.split(" ")[0]).toBe(method);
    if (method === "INVITE") expect(next.endsWith(SDP)).toBe(true);
  });
});
