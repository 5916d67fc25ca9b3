/** sipp at both ends of drachtio-srf's createB2BUA over the edge. */
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { sipp } from "./support/sipp.js";
import { connectSrf, hangUp, type TestSrf } from "./support/srf.js";

/** T1 of 100 ms: retransmissions stay rare under load, and timers L and M (6.4 s) end within the test. */
const TIMERS = { t1Ms: 100, t2Ms: 800, t4Ms: 1_000, timerDMs: 6_400 };

async function bridge(target: string): Promise<{ running: RunningEdge; srf: TestSrf }> {
  const running = await startEdge({ timers: TIMERS });
  const srf = await connectSrf(running, (app) =>
    app.invite((req, res) => {
      res.send(100);
      app.createB2BUA(req, res, target, { localSdpB: req.body }).then(
        ({ uas, uac }) => {
          if (!uas.connected) return hangUp(uac);
          uas.on("destroy", () => hangUp(uac));
          uac.on("destroy", () => hangUp(uas));
        },
        () => undefined,
      );
    }),
  );
  return { running, srf };
}

async function expectNothingLeft(running: RunningEdge, srf: TestSrf): Promise<void> {
  await until("no dialog", () => running.edge.activeDialogs() === 0);
  await until("srf's dialogs gone", () => srf._dialogs.size === 0);
  await until(
    "no transaction",
    () => {
      const counters = running.edge.counters();
      return (
        counters["active_server_transactions"] === 0 &&
        counters["active_client_transactions"] === 0 &&
        counters["active_requests"] === 0
      );
    },
    15_000,
  );
}

describe("sipp through createB2BUA", () => {
  it("200 calls at 100 a second: none fails, nothing is left", async () => {
    const business = await sipp("uas", ["-m", "200", "-timeout", "40"]);
    const { running, srf } = await bridge(`sip:desk@127.0.0.1:${business.port}`);
    const caller = await sipp("uac", [
      `${running.host}:${running.port}`,
      "-s",
      "+18005550100",
      "-m",
      "200",
      "-r",
      "100",
      "-d",
      "0",
      "-timeout",
      "40",
    ]);
    const { code, output } = await caller.done;
    expect(code, output).toBe(0);
    const heard = await business.done;
    expect(heard.code, heard.output).toBe(0);
    expect(running.edge.counters()).toMatchObject({
      invites_received: 200,
      invites_sent: 200,
      dialogs_created: 400,
      malformed: 0,
      ack_timeouts: 0,
    });
    await expectNothingLeft(running, srf);
  });

  it("20 calls from a caller on one TCP connection to a business on UDP", async () => {
    const business = await sipp("uas", ["-m", "20", "-timeout", "30"]);
    const { running, srf } = await bridge(`sip:desk@127.0.0.1:${business.port}`);
    const caller = await sipp("uac", [
      `${running.host}:${running.port}`,
      "-t",
      "t1",
      "-m",
      "20",
      "-r",
      "20",
      "-d",
      "50",
      "-timeout",
      "30",
    ]);
    const { code, output } = await caller.done;
    expect(code, output).toBe(0);
    await expectNothingLeft(running, srf);
  });

  it("20 calls to a business on TCP", async () => {
    const business = await sipp("uas", ["-t", "t1", "-m", "20", "-timeout", "30"]);
    const { running, srf } = await bridge(`sip:desk@127.0.0.1:${business.port};transport=tcp`);
    const caller = await sipp("uac", [
      `${running.host}:${running.port}`,
      "-m",
      "20",
      "-r",
      "20",
      "-d",
      "50",
      "-timeout",
      "30",
    ]);
    const { code, output } = await caller.done;
    expect(code, output).toBe(0);
    await expectNothingLeft(running, srf);
  });
});
