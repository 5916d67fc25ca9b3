/** SUBSCRIBE and REFER by an app (RFC 6665 §4.1, RFC 3515): its dialog begins with the 2xx, also where a NOTIFY is quicker. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { field, type RawPeer, rawPeer, respondTo } from "./support/raw-peer.js";
import { rawReply } from "./support/raw-request.js";
import { connectSrf, type SrfDialog, type SrfRequest, type SrfResponse, type TestSrf } from "./support/srf.js";

interface Subscribing {
  readonly running: RunningEdge;
  readonly srf: TestSrf;
  readonly desk: RawPeer;
  readonly contact: string;
  readonly subscribe: string;
  readonly dialog: Promise<SrfDialog>;
  accept(): void;
  notify(state: string, options?: { tag?: string; cseq?: number; event?: string }): string;
}

async function subscribing(): Promise<Subscribing> {
  const running = await startEdge();
  const srf = await connectSrf(running);
  const desk = await rawPeer(running);
  const contact = `sip:peer@${desk.host}:${desk.port}`;
  const dialog = srf.createUAC(contact, { method: "SUBSCRIBE", headers: { Event: "presence", Expires: "600" } });
  dialog.catch(() => undefined);
  const subscribe = await desk.request("SUBSCRIBE");
  return {
    ...{ running, srf, desk, contact, subscribe, dialog },
    accept: () => desk.send(respondTo(subscribe, 202, "Accepted", { tag: "desk", contact, headers: ["Expires: 600"] })),
    notify(state, { tag = "desk", cseq = 1, event = "presence" } = {}) {
      const said = [...(event === "" ? [] : [`Event: ${event}`]), `Subscription-State: ${state}`];
      const text = rawReply(desk, subscribe, tag, { method: "NOTIFY", cseq, headers: said });
      desk.send(text);
      return text;
    },
  };
}

describe("a subscription by an app", () => {
  it("names us in its Contact, begins with the 202, brings NOTIFYs to the app and ends with the last", async () => {
    const { running, desk, subscribe, dialog, accept, notify } = await subscribing();
    expect(field(subscribe, "Contact")).toBe(`<sip:${running.host}:${running.port}>`);
    accept();
    const states: (string | undefined)[] = [];
    (await dialog).on("notify", (req: SrfRequest, res: SrfResponse) => {
      states.push(req.get("Subscription-State"));
      res.send(200);
    });
    notify("active;expires=600");
    await desk.response(200, "NOTIFY");
    expect(running.edge.activeDialogs()).toBe(1);
    notify("terminated;reason=noresource", { cseq: 2 });
    await desk.response(200, "NOTIFY");
    expect(states).toEqual(["active;expires=600", "terminated;reason=noresource"]);
    expect(running.edge.activeDialogs()).toBe(0);
    notify("active", { cseq: 3 });
    await desk.response(481, "NOTIFY");
  });

  it("keeps a NOTIFY that overtakes the 202 until the app has its dialog, and takes its copies for one", async () => {
    const { desk, dialog, accept, notify } = await subscribing();
    const states: (string | undefined)[] = [];
    const early = notify("active;expires=600");
    desk.send(early);
    // Answered in order: when this stray has its 481, both copies have been read.
    notify("active", { tag: "stray", cseq: 0 });
    accept();
    (await dialog).on("notify", (req: SrfRequest, res: SrfResponse) => {
      states.push(req.get("Subscription-State"));
      res.send(200);
    });
    await desk.response(200, "NOTIFY");
    await desk.response(481, "NOTIFY");
    expect(states).toEqual(["active;expires=600"]);
  });

  it("that is refused leaves no NOTIFY waiting", async () => {
    const { running, desk, subscribe, dialog, notify } = await subscribing();
    notify("active");
    desk.send(respondTo(subscribe, 403, "Forbidden", { tag: "desk" }));
    await desk.response(481, "NOTIFY");
    await expect(dialog).rejects.toMatchObject({ status: 403 });
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("that nobody ever notifies ends after 64*T1, and the app is told", async () => {
    const { running, dialog, accept } = await subscribing();
    accept();
    const [, why] = (await once(await dialog, "destroy")) as [unknown, string];
    expect(why).toBe("subscription expired");
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("takes no NOTIFY of an event it has not asked for, or of none", async () => {
    const { desk, dialog, accept, notify } = await subscribing();
    accept();
    await dialog;
    notify("active", { event: "dialog" });
    await desk.response(481, "NOTIFY");
    notify("active", { event: "", cseq: 2 });
    await desk.response(489, "NOTIFY");
  });

  it("is refreshed by the app, and over when the far side does not know it any more", async () => {
    const { running, desk, dialog, accept, notify } = await subscribing();
    accept();
    const up = await dialog;
    notify("active;expires=600");
    await desk.response(200, "NOTIFY");
    const left: number[] = [];
    for (const status of [200, 481]) {
      const sent = up.request({ method: "SUBSCRIBE", headers: { Event: "presence", Expires: "600" } });
      desk.send(respondTo(await desk.request("SUBSCRIBE"), status, "As it is"));
      expect((await sent).status).toBe(status);
      left.push(running.edge.activeDialogs());
    }
    expect(left).toEqual([1, 0]);
  });

  it("is ended at the far side when the app is lost", async () => {
    const { running, srf, desk, dialog, accept, notify } = await subscribing();
    accept();
    await dialog;
    notify("active;expires=600");
    await desk.response(200, "NOTIFY");
    srf.disconnect();
    expect(field(await desk.request("SUBSCRIBE"), "Expires")).toBe("0");
    expect(running.edge.activeDialogs()).toBe(0);
  });
});

describe("a REFER by an app outside a call", () => {
  const refer = async (answer: readonly string[]) => {
    const running = await startEdge();
    const notified: (string | undefined)[] = [];
    const srf = await connectSrf(running, (app) =>
      app.use("notify", (req, res) => {
        notified.push(req.body);
        res.send(200);
      }),
    );
    const desk = await rawPeer(running);
    const statuses: number[] = [];
    const contact = `sip:peer@${desk.host}:${desk.port}`;
    srf.request(contact, { method: "REFER", headers: { "Refer-To": "<sip:other@example.com>" } }, (_error, req) =>
      req.on("response", (res: SrfResponse) => statuses.push(res.status)),
    );
    const request = await desk.request("REFER");
    desk.send(respondTo(request, 202, "Accepted", { tag: "desk", contact, headers: answer }));
    await until("the answer", () => statuses.length === 1);
    const headers = ["Event: refer;id=1", "Subscription-State: terminated;reason=noresource"];
    desk.send(
      rawReply(desk, request, "desk", {
        method: "NOTIFY",
        headers: [...headers, "Content-Type: message/sipfrag"],
        body: "SIP/2.0 200 OK",
      }),
    );
    return { running, desk, notified };
  };

  it("brings the app what became of it", async () => {
    const { running, desk, notified } = await refer([]);
    await desk.response(200, "NOTIFY");
    expect(notified).toEqual(["SIP/2.0 200 OK"]);
    expect(running.edge.activeDialogs()).toBe(0);
  });

  it("has no dialog when the far side wants none (RFC 4488)", async () => {
    const { desk, notified } = await refer(["Refer-Sub: false"]);
    await desk.response(481, "NOTIFY");
    expect(notified).toEqual([]);
  });
});
