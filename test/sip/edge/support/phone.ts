/** A real phone on loopback, stopped after the test; it repeats itself later than the edge does, so that what a test counts is the edge. */
import { onTestFinished } from "vitest";
import { type IncomingCall, SipPhone, type SipPhoneOptions } from "../../../../src/dev/sip-phone.js";
import { systemClock } from "../../../../src/kernel/clock.js";
import { silentLog } from "../../../../src/kernel/log.js";
import { systemRandom } from "../../../../src/kernel/random.js";
import { QUICK } from "./edge.js";

export interface RunningPhone {
  readonly phone: SipPhone;
  readonly uri: string;
  readonly host: string;
  readonly port: number;
}

export async function startPhone(
  onCall?: (call: IncomingCall) => void,
  options: Partial<SipPhoneOptions> = {},
): Promise<RunningPhone> {
  const phone = new SipPhone({
    host: "127.0.0.1",
    port: 0,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    timers: { ...QUICK, t1Ms: 200 },
    ...(onCall === undefined ? {} : { onCall }),
    ...options,
  });
  const { host, port } = await phone.start();
  onTestFinished(() => phone.stop());
  return { phone, uri: `sip:desk@${host}:${port}`, host, port };
}
