/** Calls through createB2BUA with both phones behind bad networks: retransmissions repair everything, and nothing is left. */
import { expect, it } from "vitest";
import type { PhoneCallResult } from "../../../src/dev/sip-phone.js";
import { startEdge, until } from "./support/edge.js";
import { lossyRelay } from "./support/lossy-relay.js";
import { startPhone } from "./support/phone.js";
import { connectSrf, hangUp } from "./support/srf.js";

/** 64*T1 of 6.4 s: seven INVITEs, so a call fails by chance once in ten million. */
const TIMERS = { t1Ms: 100, t2Ms: 400, t4Ms: 500, timerDMs: 6_400 };
const CALLS = 40;

it("40 calls at once survive 10 % packet loss on both sides", async () => {
  const running = await startEdge({ timers: TIMERS });
  let hangUpByDesk = false;
  const desk = await startPhone(
    (call) => {
      call.ring();
      call.answer();
      // Every second call is ended from this side.
      hangUpByDesk = !hangUpByDesk;
      if (hangUpByDesk) void call.hangUp();
    },
    { timers: TIMERS },
  );
  const caller = await startPhone(undefined, { timers: TIMERS });
  const far = await lossyRelay({ edge: running, phone: desk, loss: 0.1, seed: 3261 });
  const near = await lossyRelay({ edge: running, phone: caller, loss: 0.1, seed: 6026 });
  const srf = await connectSrf(running, (app) =>
    app.invite((req, res) => {
      res.send(100);
      app.createB2BUA(req, res, `sip:desk@${far.phoneSide.host}:${far.phoneSide.port}`, { localSdpB: req.body }).then(
        ({ uas, uac }) => {
          if (!uas.connected) hangUp(uac);
          if (!uac.connected) hangUp(uas);
          uas.on("destroy", () => hangUp(uac));
          uac.on("destroy", () => hangUp(uas));
        },
        () => undefined,
      );
    }),
  );

  const targetUri = `sip:+18005550100@${near.edgeSide.host}:${near.edgeSide.port}`;
  const results = await Promise.all(
    Array.from({ length: CALLS }, async (): Promise<PhoneCallResult["kind"]> => {
      const result = await caller.phone.call({ targetUri, fromUser: "+14155550100", ringTimeoutMs: 10_000 });
      if (result.kind === "answered") {
        await Promise.race([result.call.waitEnd(), new Promise((resolve) => setTimeout(resolve, 500))]);
        await result.call.hangUp();
      }
      return result.kind;
    }),
  );
  expect(results).toEqual(Array.from({ length: CALLS }, () => "answered"));
  const share = (near.lost() + far.lost()) / (near.lost() + far.lost() + near.passed() + far.passed());
  expect(share).toBeGreaterThan(0.05);
  const isEmpty = (): boolean => {
    const counters = running.edge.counters();
    return (
      counters["active_dialogs"] === 0 &&
      counters["active_server_transactions"] === 0 &&
      counters["active_client_transactions"] === 0
    );
  };
  await until("nothing left", isEmpty, 20_000);
  await until("srf's dialogs gone", () => srf._dialogs.size === 0);
  expect(running.edge.counters()).toMatchObject({ ack_timeouts: 0, internal_errors: 0, active_requests: 0 });
}, 60_000);
