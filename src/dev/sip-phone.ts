/**
 * A small real SIP phone over UDP, for the demonstration call, `npm run call`, `npm run demo` and tests: real packets, a valid SDP offer and answer, no
 * sound. It calls, is called, cancels, refuses and hangs up.
 */
import type { Clock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import { bindError } from "../sip/edge/listeners.js";
import type { SipTimers } from "../sip/edge/timers.js";
import { type IncomingCall, takeCall } from "./phone-incoming.js";
import { PhoneLine } from "./phone-line.js";
import { type CallOptions, placeCall, type PhoneCallResult } from "./phone-outgoing.js";

export type { IncomingCall } from "./phone-incoming.js";
export type { CallEnd } from "./phone-line.js";
export type { CallOptions, PhoneCallResult } from "./phone-outgoing.js";

export interface SipPhoneOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly displayName?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Without it, calls to this phone get 480. */
  readonly onCall?: (call: IncomingCall) => void;
  readonly timers?: Partial<SipTimers>;
}

export class SipPhone {
  private readonly options: SipPhoneOptions;
  private readonly line: PhoneLine;
  private readonly ringing = new Map<string, () => void>();
  private isStopped = false;

  constructor(options: SipPhoneOptions) {
    this.options = options;
    const { host, port, clock, random, log, timers } = options;
    this.line = new PhoneLine({
      host,
      port,
      clock,
      random,
      log,
      timers,
      onInvite: (invite) => {
        const { call, cancel } = takeCall(this.line, invite);
        this.ringing.set(invite.txn, cancel);
        call.onEnd(() => this.ringing.delete(invite.txn));
        if (options.onCall === undefined) call.reject(480, "Temporarily Unavailable");
        else options.onCall(call);
      },
      onCancel: (invite) => this.ringing.get(invite.txn)?.(),
    });
  }

  /** Resolves with the real port. Rejects with AppError address_taken. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { transport } = this.line;
    try {
      await transport.start();
    } catch (error) {
      throw bindError(`The phone's address ${transport.host}:${transport.port}`, error);
    }
    return { host: transport.host, port: transport.port };
  }

  /** Rejects only with AppError invalid_value, for a target that is no sip: URI; everything that happens to the call is a result. */
  call(options: CallOptions): Promise<PhoneCallResult> {
    if (this.isStopped) return Promise.reject(new AppError("draining", "The phone is stopped."));
    return placeCall(this.line, options, this.options.displayName ?? "");
  }

  /** Hangs up what is left and closes the socket. Idempotent. */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    const byes = this.line.liveDialogs.map((dialog) => this.line.hangUp(dialog));
    await Promise.race([Promise.all(byes), new Promise((resolve) => setTimeout(resolve, STOP_GRACE_MS))]);
    await this.line.transport.stop();
    this.line.stack.scheduler.stop();
  }
}

/** Time for the last BYE to be answered. */
const STOP_GRACE_MS = 1_000;
