import { expect, it, onTestFinished, vi } from "vitest";
import { silentLog } from "../../src/kernel/log.js";
import { DrachtioLink } from "../../src/sip/drachtio-link.js";
import { SECRET, startEdge } from "./edge/support/edge.js";

it("a server that is away for long is tried every two seconds, and found when it is back", async () => {
  const first = await startEdge();
  let lost = 0;
  const link = new DrachtioLink({
    address: { ...first.admin, secret: SECRET },
    log: silentLog,
    onLost: () => (lost += 1),
  });
  onTestFinished(() => link.disconnect());
  await link.connect();

  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const delays: number[] = [];
  const triedTenTimes = new Promise<void>((resolve) => {
    // The wait begins right after this event.
    link.srf.on("reconnecting", ({ delay }: { delay: number }) => {
      delays.push(delay);
      if (delays.length === 10) resolve();
      else setImmediate(() => vi.advanceTimersByTime(delay));
    });
  });
  await first.edge.stop();
  await triedTenTimes;
  expect(Math.max(...delays)).toBe(2_000);
  expect({ isUp: link.isUp, lost }).toEqual({ isUp: false, lost: 1 });

  await startEdge({ admin: { ...first.admin, secret: SECRET } });
  const back = new Promise((resolve) => link.srf.once("connect", resolve));
  vi.advanceTimersByTime(2_000);
  await back;
  expect({ isUp: link.isUp, lost }).toEqual({ isUp: true, lost: 1 });
});
