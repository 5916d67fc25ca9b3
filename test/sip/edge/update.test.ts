/** UPDATE (RFC 3311): before and after the answer, in both directions, and what happens when offers cross. */
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

interface Up {
  readonly running: RunningEdge;
  readonly peer: RawPeer;
  readonly call: CallTexts;
  readonly ok: string;
  readonly dialog: SrfDialog;
}

async function answered(): Promise<Up> {
  const running = await startEdge();
  const dialogs: SrfDialog[] = [];
  await connectSrf(running, (app) =>
    app.invite((req, res) => void app.createUAS(req, res, { localSdp: SDP }).then((one) => dialogs.push(one))),
  );
  const peer = await rawPeer(running);
  const call = callTexts(peer, running);
  peer.send(call.invite());
  const ok = await peer.response(200);
  await until("the dialog", () => dialogs.length === 1);
  peer.send(call.ack(ok));
  const dialog = dialogs[0];
  if (dialog === undefined) throw new Error("no dialog");
  await peer.next("quiet", () => true, 60).catch(() => undefined);
  peer.inbox.length = 0;
  return { running, peer, call, ok, dialog };
}

/** The app's handler, and what it was given. */
function updatesOf(dialog: SrfDialog): { req: SrfRequest; res: SrfResponse }[] {
  const seen: { req: SrfRequest; res: SrfResponse }[] = [];
  dialog.on("update", (req: SrfRequest, res: SrfResponse) => void seen.push({ req, res }));
  return seen;
}

describe("an UPDATE of the peer", () => {
  it("is the app's to answer, and moves where the peer is reached", async () => {
    const { peer, call, ok, dialog } = await answered();
    const moved = await rawPeer(peer);
    const seen = updatesOf(dialog);
    peer.send(call.inDialog("UPDATE", ok, 2, [`Contact: <sip:moved@${moved.host}:${moved.port}>`], SDP));
    await until("the UPDATE", () => seen.length === 1);
    expect(seen[0]?.req.body).toBe(SDP);
    seen[0]?.res.send(200, { body: SDP });
    const accepted = await peer.response(200, "UPDATE");
    expect(contactOf(accepted)).toBe(contactOf(ok));
    hangUp(dialog);
    moved.sendTo(
      { host: "127.0.0.1", port: Number(contactOf(ok).split(":").at(-1)) },
      respondTo(await moved.request("BYE"), 200, "OK"),
    );
  });

  it("that overlaps another is refused with 500 and Retry-After", async () => {
    const { peer, call, ok, dialog } = await answered();
    const seen = updatesOf(dialog);
    peer.send(call.inDialog("UPDATE", ok, 2, [], SDP));
    await until("the UPDATE", () => seen.length === 1);
    peer.send(call.inDialog("UPDATE", ok, 3, [], SDP));
    expect(field(await peer.response(500, "UPDATE"), "Retry-After")).toMatch(/^\d+$/);
    peer.send(call.invite({ cseq: 4, toTag: dialog.sip.localTag, branch: `z9hG4bKre${peer.port}` }));
    peer.send(call.inDialog("ACK", await peer.response(500, "INVITE"), 4));
    seen[0]?.res.send(200, { body: SDP });
    await peer.response(200, "UPDATE");
    peer.send(call.inDialog("UPDATE", ok, 5, [], SDP));
    await until("the next UPDATE", () => seen.length === 2);
    seen[1]?.res.send(488);
    await peer.response(488, "UPDATE");
  });

  it.each([
    ["re-INVITE", (dialog: SrfDialog) => dialog.modify(SDP), "INVITE"],
    ["UPDATE", (dialog: SrfDialog) => dialog.request({ method: "UPDATE", body: SDP }), "UPDATE"],
  ])(
    "with an offer is refused with 491 while our %s is unanswered, and so is a re-INVITE",
    async (_n, offer, method) => {
      const { peer, call, ok, dialog } = await answered();
      const seen = updatesOf(dialog);
      const offering = offer(dialog);
      const ours = await peer.request(method);
      peer.send(call.inDialog("UPDATE", ok, 2, [], SDP));
      await peer.response(491, "UPDATE");
      peer.send(call.invite({ cseq: 3, toTag: dialog.sip.localTag, branch: `z9hG4bKgl${peer.port}` }));
      await peer.response(491, "INVITE");
      peer.send(respondTo(ours, 200, "OK", { contact: `sip:caller@${peer.host}:${peer.port}`, body: SDP }));
      await offering;
      peer.send(call.inDialog("UPDATE", ok, 4, [], SDP));
      await until("an UPDATE at the app", () => seen.length === 1);
      seen[0]?.res.send(200, { body: SDP });
      await peer.response(200, "UPDATE");
    },
  );

  it("before the answer goes to the app as well", async () => {
    const running = await startEdge();
    const given: { req: SrfRequest; res: SrfResponse }[] = [];
    await connectSrf(running, (srf) => srf.invite((req, res) => void given.push({ req, res })));
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite({ headers: ["Supported: 100rel"] }));
    await until("the INVITE", () => given.length === 1);
    const updates: SrfResponse[] = [];
    given[0]?.req.on("update", (_req: SrfRequest, res: SrfResponse) => void updates.push(res));
    given[0]?.res.send(183, { headers: { Require: "100rel" }, body: SDP });
    const early = await peer.response(183);
    peer.send(call.inDialog("PRACK", early, 2, [`RAck: ${field(early, "RSeq")} 1 INVITE`]));
    await peer.response(200, "PRACK");
    peer.send(call.inDialog("UPDATE", early, 3, [], SDP));
    await until("the UPDATE", () => updates.length === 1);
    peer.send(call.inDialog("UPDATE", early, 4, [], SDP));
    await peer.response(500, "UPDATE");
    updates[0]?.send(200, { body: SDP });
    await peer.response(200, "UPDATE");
    given[0]?.res.send(486);
    await peer.response(486);
  });
});

describe("an UPDATE of the app", () => {
  it("carries our Contact, and its answer comes back", async () => {
    const { peer, ok, dialog } = await answered();
    const asked = dialog.request({ method: "UPDATE", body: SDP });
    const update = await peer.request("UPDATE");
    expect(contactOf(update)).toBe(contactOf(ok));
    peer.send(respondTo(update, 200, "OK", { contact: `sip:caller@${peer.host}:${peer.port}`, body: SDP }));
    const answer: SrfMessage = await asked;
    expect(answer.status).toBe(200);
  });

  it("is refused while another one is unanswered", async () => {
    const { peer, dialog } = await answered();
    const first = dialog.request({ method: "UPDATE", body: SDP });
    const update = await peer.request("UPDATE");
    await expect(dialog.request({ method: "UPDATE", body: SDP })).rejects.toThrow("another UPDATE is in progress");
    peer.send(respondTo(update, 200, "OK", { body: SDP }));
    await first;
  });
});
