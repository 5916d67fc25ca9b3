/** Where the edge listens decides how it names itself: wildcard addresses, IPv6, destinations by name. */
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { startEdge } from "./support/edge.js";
import { startPhone } from "./support/phone.js";
import { callTexts, contactOf, rawPeer, SDP } from "./support/raw-peer.js";
import { connectSrf } from "./support/srf.js";

const hasIpv6Loopback = Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === "::1"));

/** From beginning to end, by a peer to whom the edge is 127.0.0.1. */
async function calledOverIpv4(port: number): Promise<void> {
  const here = { host: "127.0.0.1", port };
  const peer = await rawPeer(here);
  const call = callTexts(peer, here);
  peer.send(call.invite());
  const ok = await peer.response(200);
  expect(contactOf(ok)).toBe(`sip:127.0.0.1:${port}`);
  peer.send(call.ack(ok));
  peer.send(call.inDialog("BYE", ok, 2));
  await peer.response(200, "BYE");
}

describe("an edge on every address", () => {
  it("names itself as the peer sees it", async () => {
    const running = await startEdge({ listen: [{ transport: "udp", host: "0.0.0.0", port: 0 }] });
    await connectSrf({ ...running, host: "127.0.0.1" }, (srf) =>
      srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP })),
    );
    await calledOverIpv4(running.port);
  });

  it("does not call itself under any of its addresses", async () => {
    const running = await startEdge({ listen: [{ transport: "udp", host: "0.0.0.0", port: 0 }] });
    const srf = await connectSrf({ ...running, host: "127.0.0.1" });
    for (const own of ["127.0.0.1", "localhost"]) {
      await expect(srf.createUAC(`sip:x@${own}:${running.port}`, { localSdp: SDP })).rejects.toThrow(
        "can not send request to myself",
      );
    }
  });

  it("finds a destination by its name", async () => {
    const running = await startEdge({ listen: [{ transport: "udp", host: "0.0.0.0", port: 0 }] });
    const seen: (string | null)[] = [];
    const desk = await startPhone((call) => {
      seen.push(call.headers("via"), call.headers("contact"));
      call.answer();
    });
    const srf = await connectSrf({ ...running, host: "127.0.0.1" });
    const dialog = await srf.createUAC(`sip:desk@localhost:${desk.port}`, { localSdp: SDP });
    expect(seen[0]).toContain(`SIP/2.0/UDP 127.0.0.1:${running.port};rport;`);
    expect(seen[1]).toBe(`<sip:127.0.0.1:${running.port}>`);
    await dialog.destroy();
    expect(running.edge.activeDialogs()).toBe(0);
  });
});

it.runIf(hasIpv6Loopback)("an edge on every address of both families is called over IPv4 and calls", async () => {
  const running = await startEdge({ listen: [{ transport: "udp", host: "::", port: 0 }] });
  const desk = await startPhone((call) => call.answer());
  const srf = await connectSrf({ ...running, host: "127.0.0.1" }, (app) =>
    app.invite((req, res) => void app.createUAS(req, res, { localSdp: SDP })),
  );
  await calledOverIpv4(running.port);
  const dialog = await srf.createUAC(`sip:desk@127.0.0.1:${desk.port}`, { localSdp: SDP });
  await dialog.destroy();
  expect(running.edge.activeDialogs()).toBe(0);
});

it.runIf(hasIpv6Loopback)("an edge on IPv6 is called and calls", async () => {
  const running = await startEdge({ listen: [{ transport: "udp", host: "::1", port: 0 }], sourceCidrs: ["::1/128"] });
  const answers: string[] = [];
  const desk = await startPhone((call) => call.answer(), { host: "::1" });
  const srf = await connectSrf({ ...running, host: "[::1]" }, (app) =>
    app.invite((req, res) => {
      answers.push(req.source_address);
      void app.createUAS(req, res, { localSdp: SDP });
    }),
  );
  const caller = await startPhone(undefined, { host: "::1" });
  const result = await caller.phone.call({
    targetUri: `sip:+1800@[::1]:${running.port}`,
    fromUser: "+1415",
    ringTimeoutMs: 3_000,
  });
  expect(result.kind).toBe("answered");
  if (result.kind === "answered") await result.call.hangUp();
  expect(answers).toEqual(["::1"]);
  const dialog = await srf.createUAC(`sip:desk@[::1]:${desk.port}`, { localSdp: SDP });
  await dialog.destroy();
  expect(running.edge.activeDialogs()).toBe(0);
});
