/** SUBSCRIBE to an app (RFC 6665 §4.2): its dialog begins with the app's 2xx and ends with the subscription, whoever forgets it. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { QUICK, type RunningEdge, startEdge, until } from "./support/edge.js";
import { contactOf, field, type RawPeer, rawPeer, respondTo, tagOf } from "./support/raw-peer.js";
import { rawRequest } from "./support/raw-request.js";
import { connectSrf, type SrfDialog, type SrfResponse, type TestSrf } from "./support/srf.js";

/** A second of an Expires is 10 ms here; 64*T1 stays 1.6 s. */
const SHORT_SECONDS = { ...QUICK, sessionSecondMs: 10 };

interface Subscribed {
  readonly running: RunningEdge;
  readonly srf: TestSrf;
  readonly peer: RawPeer;
  readonly accepted: string;
  readonly dialog: SrfDialog;
  /** A further request by the subscriber. */
  send(method: string, cseq: number, headers?: readonly string[], contact?: string): void;
  /** The SUBSCRIBE that began it, under another branch. */
  subscribeAgain(): void;
}

async function subscribed(headers: readonly string[] = ["Expires: 600"], answer: object = {}): Promise<Subscribed> {
  const running = await startEdge({ timers: SHORT_SECONDS });
  const dialogs: SrfDialog[] = [];
  const srf = await connectSrf(running, (app) =>
    app.use("subscribe", (req, res) => void app.createUAS(req, res, answer).then((dialog) => dialogs.push(dialog))),
  );
  const peer = await rawPeer(running);
  const callId = `sub-${peer.port}`;
  const from = `<sip:watcher@${peer.host}>;tag=watch`;
  const to = `<sip:desk@${running.host}>`;
  const uri = `sip:desk@${running.host}:${running.port}`;
  const begin = (): string =>
    rawRequest(peer, { method: "SUBSCRIBE", uri, from, to, callId, headers: ["Event: presence", ...headers] });
  peer.send(begin());
  const accepted = await peer.response(202, "SUBSCRIBE");
  await until("the dialog", () => dialogs.length === 1);
  const dialog = dialogs[0];
  if (dialog === undefined) throw new Error("no dialog");
  return {
    ...{ running, srf, peer, accepted, dialog },
    send: (method, cseq, more = ["Event: presence"], contact = `sip:peer@${peer.host}:${peer.port}`) => {
      const route = { uri: contactOf(accepted), from, to: field(accepted, "To"), callId, cseq, contact };
      peer.send(rawRequest(peer, { method, ...route, headers: more }));
    },
    subscribeAgain: () => peer.send(begin()),
  };
}

function notify(dialog: SrfDialog, state: string): Promise<{ readonly status: number }> {
  return dialog.request({ method: "NOTIFY", headers: { Event: "presence", "Subscription-State": state } });
}

describe("a subscription to an app", () => {
  it("begins with its 202, which names us and the time; the app's NOTIFYs go to the subscriber", async () => {
    const { running, peer, accepted, dialog } = await subscribed();
    expect(field(accepted, "Expires")).toBe("600");
    expect(contactOf(accepted)).toBe(`sip:${running.host}:${running.port}`);
    const sent = notify(dialog, "active;expires=600");
    const request = await peer.request("NOTIFY");
    expect(request.split(" ")[1]).toBe(`sip:peer@${peer.host}:${peer.port}`);
    expect(tagOf(field(request, "From"))).toBe(tagOf(field(accepted, "To")));
    expect(tagOf(field(request, "To"))).toBe("watch");
    expect(contactOf(request)).toBe(`sip:${running.host}:${running.port}`);
    peer.send(respondTo(request, 200, "OK"));
    expect((await sent).status).toBe(200);
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("is granted no longer than was asked, and shorter when the app says so", async () => {
    const longer = await subscribed(["Expires: 600"], { headers: { Expires: "900" } });
    expect(field(longer.accepted, "Expires")).toBe("600");
    const shorter = await subscribed(["Expires: 600"], { headers: { Expires: "300" } });
    expect(field(shorter.accepted, "Expires")).toBe("300");
  });

  it("ends with the NOTIFY that says so", async () => {
    const { running, peer, dialog } = await subscribed();
    const sent = notify(dialog, "terminated;reason=noresource");
    peer.send(respondTo(await peer.request("NOTIFY"), 200, "OK"));
    await sent;
    expect(running.edge.activeDialogs()).toBe(0);
    await expect(notify(dialog, "active")).rejects.toMatchObject({ code: "ENODIALOG" });
  });

  it.each([481, 489])("ends when the subscriber answers a NOTIFY with %d", async (status) => {
    const { running, peer, dialog } = await subscribed();
    const sent = notify(dialog, "active");
    peer.send(respondTo(await peer.request("NOTIFY"), status, "No"));
    expect((await sent).status).toBe(status);
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("goes on when the subscriber has a passing trouble", async () => {
    const { running, peer, dialog } = await subscribed();
    const sent = notify(dialog, "active");
    peer.send(respondTo(await peer.request("NOTIFY"), 503, "Later", { headers: ["Retry-After: 5"] }));
    expect((await sent).status).toBe(503);
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("ends when a NOTIFY is never answered", async () => {
    const { running, dialog } = await subscribed();
    expect((await notify(dialog, "active")).status).toBe(408);
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("is refreshed inside its dialog, and moves with the subscriber's Contact", async () => {
    const { peer, dialog, send } = await subscribed(["Expires: 5"]);
    const startedMs = systemClock.monotonicMs();
    dialog.on("subscribe", (_req: unknown, res: SrfResponse) => res.send(200));
    send("SUBSCRIBE", 2, ["Event: presence", "Expires: 100"], `sip:moved@${peer.host}:${peer.port}`);
    expect(field(await peer.response(200, "SUBSCRIBE"), "Expires")).toBe("100");
    const last = await peer.request("NOTIFY");
    expect(last.split(" ")[1]).toBe(`sip:moved@${peer.host}:${peer.port}`);
    // 1 s and the grace of 1.6 s; without the refresh it would have been 1.65 s.
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThan(2_500);
  });

  it("that nobody refreshes expires: a last NOTIFY to the subscriber, destroy to the app", async () => {
    const { running, peer, dialog } = await subscribed(["Expires: 5"]);
    const destroyed = once(dialog, "destroy");
    const last = await peer.request("NOTIFY");
    expect(field(last, "Subscription-State")).toBe("terminated;reason=timeout");
    expect(field(last, "Event")).toBe("presence");
    peer.send(respondTo(last, 200, "OK"));
    expect((await destroyed)[1]).toBe("subscription expired");
    expect(running.edge.counters()).toMatchObject({ subscriptions_expired: 1, active_dialogs: 0 });
  });

  it("is ended by its subscriber with Expires: 0, and the app's last NOTIFY", async () => {
    const { running, peer, dialog, send } = await subscribed();
    dialog.on("unsubscribe", () => void dialog.destroy().catch(() => undefined));
    send("SUBSCRIBE", 2, ["Event: presence", "Expires: 0"]);
    expect(field(await peer.response(202, "SUBSCRIBE"), "Expires")).toBe("0");
    const last = await peer.request("NOTIFY");
    expect(field(last, "Subscription-State")).toBe("terminated");
    peer.send(respondTo(last, 200, "OK"));
    await until("the end", () => running.edge.activeDialogs() === 0);
  });

  it("of two events in one dialog ends with the second", async () => {
    const { running, peer, dialog, send } = await subscribed();
    dialog.on("subscribe", (_req: unknown, res: SrfResponse) => res.send(200));
    send("SUBSCRIBE", 2, ["Event: dialog", "Expires: 600"]);
    await peer.response(200, "SUBSCRIBE");
    const left: number[] = [];
    for (const event of ["presence", "dialog"]) {
      const headers = { Event: event, "Subscription-State": "terminated" };
      const sent = dialog.request({ method: "NOTIFY", headers });
      peer.send(respondTo(await peer.request("NOTIFY"), 200, "OK"));
      await sent;
      left.push(running.edge.activeDialogs());
    }
    expect(left).toEqual([1, 0]);
  });

  it("is ended for the subscriber when the app is lost, so that it may subscribe elsewhere", async () => {
    const { running, srf, peer } = await subscribed();
    srf.disconnect();
    const last = await peer.request("NOTIFY");
    expect(field(last, "Subscription-State")).toBe("terminated;reason=deactivated");
    expect(running.edge.activeDialogs()).toBe(0);
  });
});

describe("in the dialog of a subscription", () => {
  it("there is no call: a BYE gets 481, an INVITE 488, and the app cannot send them", async () => {
    const { running, peer, dialog, send } = await subscribed();
    send("BYE", 2, []);
    await peer.response(481, "BYE");
    send("INVITE", 3, []);
    await peer.response(488, "INVITE");
    await expect(dialog.modify("v=0\r\n")).rejects.toThrow("there is no call in this dialog");
    expect(running.edge.activeDialogs()).toBe(1);
  });

  it("the same SUBSCRIBE over another path is refused with 482 (RFC 3261 §8.2.2.2)", async () => {
    const { running, peer, subscribeAgain } = await subscribed();
    subscribeAgain();
    await peer.response(482, "SUBSCRIBE");
    expect(running.edge.activeDialogs()).toBe(1);
  });
});
