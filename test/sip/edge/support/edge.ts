/** Starts a real edge on loopback with short timers; it is stopped after the test. */
import { onTestFinished } from "vitest";
import { systemClock } from "../../../../src/kernel/clock.js";
import { silentLog } from "../../../../src/kernel/log.js";
import { systemRandom } from "../../../../src/kernel/random.js";
import { SipEdge, type SipEdgeOptions, type SipListen } from "../../../../src/sip/edge/sip-edge.js";
import type { SipTimers } from "../../../../src/sip/edge/timers.js";

export const SECRET = "a test | secret";

/** A tenth of RFC 3261's: 64*T1 is 1.6 s. */
export const QUICK: Partial<SipTimers> = { t1Ms: 25, t2Ms: 100, t4Ms: 50, timerDMs: 400, appSilentMs: 300 };

export interface RunningEdge {
  readonly edge: SipEdge;
  readonly host: string;
  readonly port: number;
  readonly admin: { readonly host: string; readonly port: number };
}

export const UDP_AND_TCP: readonly SipListen[] = [
  { transport: "udp", host: "127.0.0.1", port: 0 },
  { transport: "tcp", host: "127.0.0.1", port: 0 },
];

export async function startEdge(options: Partial<SipEdgeOptions> = {}): Promise<RunningEdge> {
  const edge = new SipEdge({
    listen: UDP_AND_TCP,
    admin: { host: "127.0.0.1", port: 0, secret: SECRET },
    sourceCidrs: ["127.0.0.0/8"],
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    timers: QUICK,
    ...options,
  });
  const { sip, admin } = await edge.start();
  onTestFinished(() => edge.stop());
  return { edge, host: sip[0]?.host ?? "", port: sip[0]?.port ?? 0, admin };
}

/** Waits until the condition holds, looking every 5 ms; fails with what was waited for. */
export async function until(what: string, holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const end = systemClock.monotonicMs() + timeoutMs;
  while (!holds()) {
    if (systemClock.monotonicMs() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
