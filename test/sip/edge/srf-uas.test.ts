/** drachtio-srf as the called side: answer, refuse, hang up, be hung up on. */
import { describe, expect, it } from "vitest";
import { startEdge, until } from "./support/edge.js";
import { callTexts, contactOf, field, rawPeer, SDP, tagOf } from "./support/raw-peer.js";
import { connectSrf, type SrfDialog } from "./support/srf.js";

describe("an app that answers", () => {
  it("answers with createUAS and hears the caller hang up", async () => {
    const running = await startEdge();
    let ended = "";
    const dialogs: SrfDialog[] = [];
    await connectSrf(running, (srf) =>
      srf.invite((req, res) => {
        void srf.createUAS(req, res, { localSdp: SDP }).then((dialog) => {
          dialogs.push(dialog);
          dialog.on("destroy", () => {
            ended = "destroyed";
          });
        });
      }),
    );
    const peer = await rawPeer(running);
    const call = callTexts(peer, running);
    peer.send(call.invite());
    await peer.response(100);
    const ok = await peer.response(200);
    expect(contactOf(ok)).toBe(`sip:${running.host}:${running.port}`);
    expect(tagOf(field(ok, "To"))).not.toBe("");
    expect(ok).toContain("m=audio");
    peer.send(call.ack(ok));
    await until("the dialog", () => dialogs.length === 1);
    expect(dialogs[0]?.id).toBe(`${call.callId};from-tag=${call.fromTag}`);
    expect(running.edge.activeDialogs()).toBe(1);
    peer.send(call.inDialog("BYE", ok, 2));
    await peer.response(200, "BYE");
    await until("destroy", () => ended === "destroyed");
    expect(running.edge.activeDialogs()).toBe(0);
  });
});
