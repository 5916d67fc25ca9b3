/** A call by the development phone: INVITE, ringing, and one result; then, when it was answered, a handle to hang it up. */
import { AppError } from "../kernel/errors.js";
import { uacDialogFacts } from "../sip/edge/dialog.js";
import { firstSeq, newTag } from "../sip/edge/edge-context.js";
import type { CheckedResponse } from "../sip/edge/message-check.js";
import { startMachine, startRequest, type Started } from "../sip/edge/outgoing.js";
import { ownHostPort } from "../sip/edge/own-address.js";
import { fromBytesText, header, headerValue, type SipRequest, toBytesText } from "../sip/edge/sip-message.js";
import { parseSipUri } from "../sip/edge/sip-uri.js";
import { writeHopByHop } from "../sip/edge/sip-writer.js";
import type { Flow } from "../sip/edge/transport.js";
import type { CallEnd, PhoneDialog, PhoneLine } from "./phone-line.js";

export interface CallOptions {
  /** `sip:+18005550100@127.0.0.1:5060` */
  readonly targetUri: string;
  /** User part of From, e.g. `+14155550100`. */
  readonly fromUser: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** INVITE → final answer; then the call is cancelled. */
  readonly ringTimeoutMs: number;
  /** Aborting cancels a call that is not answered. */
  readonly signal?: AbortSignal;
}

export interface ActiveCall {
  readonly callId: string;
  /** Resolves when the BYE was answered. */
  hangUp(): Promise<void>;
  /** Who ended it; `local` also when the phone was stopped. */
  waitEnd(): Promise<"remote" | "local">;
}

export type PhoneCallResult =
  | {
      readonly kind: "answered";
      readonly call: ActiveCall;
      /** Statuses of the 1xx answers in order, 100 included. */
      readonly provisional: readonly number[];
      /** INVITE sent → first 180, 183 or 200, in ms. */
      readonly pddMs: number;
    }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly reason: string;
      /** First value of each header, names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
      readonly provisional: readonly number[];
    }
  | { readonly kind: "timeout" }
  | { readonly kind: "canceled" };

/** How long the result waits for the 487 after a CANCEL; a dead far end must not hold it for timer B. */
const CANCEL_GRACE_MS = 2_000;

export async function placeCall(line: PhoneLine, options: CallOptions, displayName: string): Promise<PhoneCallResult> {
  const flow = await findFlow(line, options.targetUri);
  if (options.signal?.aborted === true) return { kind: "canceled" };
  return new Promise((resolve) => new OutgoingCall(line, flow, options, resolve).start(displayName));
}

function findFlow(line: PhoneLine, targetUri: string): Promise<Flow> {
  const uri = parseSipUri(targetUri);
  if (uri === null) throw new AppError("invalid_value", `${JSON.stringify(targetUri)} is no sip: URI.`);
  return new Promise((resolve, reject) => {
    line.stack.locate(uri, (located) => {
      const isUdp = located.kind === "found" && located.hop.transport === "udp";
      if (isUdp) return resolve(line.flowTo(located.hop.address, located.hop.port));
      const reason = located.kind === "failed" ? located.reason : "this phone speaks UDP alone";
      reject(new AppError("invalid_value", `${targetUri} cannot be reached: ${reason}.`));
    });
  });
}

/** Holds the timers and the INVITE transaction of one call until its result. */
class OutgoingCall {
  private readonly provisional: number[] = [];
  private readonly sentAtMs: number;
  private pddMs: number | null = null;
  private started: Started | null = null;
  private giveUp: "timeout" | "canceled" | null = null;
  private isCancelSent = false;
  private repeatAck: (() => void) | null = null;
  private ringTimer: NodeJS.Timeout | null = null;
  private readonly onAbort = (): void => this.cancel("canceled");

  constructor(
    private readonly line: PhoneLine,
    private readonly flow: Flow,
    private readonly options: CallOptions,
    private readonly resolve: (result: PhoneCallResult) => void,
  ) {
    this.sentAtMs = line.stack.clock.monotonicMs();
  }

  start(displayName: string): void {
    const { options, line } = this;
    this.started = startRequest(line.stack, this.invite(displayName), this.flow, {
      onResponse: (response) => this.onResponse(response),
      onFailed: (status) =>
        this.finish({ kind: "refused", status, reason: "No answer", headers: {}, provisional: this.provisional }),
    });
    this.ringTimer = setTimeout(() => this.cancel("timeout"), options.ringTimeoutMs);
    options.signal?.addEventListener("abort", this.onAbort);
  }

  private invite(displayName: string): SipRequest {
    const { random } = this.line.stack;
    const { options } = this;
    const own = ownHostPort(this.flow);
    const name = displayName === "" ? "" : `"${toBytesText(displayName.replace(/["\\]/g, ""))}" `;
    const user = toBytesText(options.fromUser);
    return {
      kind: "request",
      method: "INVITE",
      uri: toBytesText(options.targetUri),
      headers: [
        header("Max-Forwards", "70"),
        header("From", `${name}<sip:${user}@${own}>;tag=${newTag(random)}`),
        header("To", `<${toBytesText(options.targetUri)}>`),
        header("Call-ID", random.uuid()),
        header("CSeq", `${firstSeq(random)} INVITE`),
        header("Contact", `<sip:${user}@${own}>`),
        header("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"),
        ...Object.entries(options.headers ?? {}).map(([key, value]) => header(key, toBytesText(value))),
        header("Content-Type", "application/sdp"),
      ],
      body: this.line.sdp(),
    };
  }

  private onResponse(response: CheckedResponse): void {
    const { status, reason, headers } = response.message;
    if (status === 180 || status === 183 || (status >= 200 && status < 300)) {
      this.pddMs ??= this.line.stack.clock.monotonicMs() - this.sentAtMs;
    }
    if (status < 200) {
      this.provisional.push(status);
      if (this.giveUp !== null) this.sendCancel();
    } else if (status < 300) this.onAnswer(response);
    else if (this.giveUp !== null) this.finish({ kind: this.giveUp });
    else {
      const first = Object.fromEntries(
        headers.map((one) => [one.key, fromBytesText(headerValue(headers, one.key) ?? "")]),
      );
      this.finish({
        kind: "refused",
        status,
        reason: fromBytesText(reason),
        headers: first,
        provisional: this.provisional,
      });
    }
  }

  private onAnswer(response: CheckedResponse): void {
    if (this.repeatAck !== null) return this.repeatAck();
    const { line, giveUp } = this;
    let ended: (by: CallEnd) => void = () => undefined;
    const end = new Promise<CallEnd>((resolve) => {
      ended = resolve;
    });
    const dialog: PhoneDialog = {
      facts: uacDialogFacts(response, this.options.targetUri),
      flow: this.flow,
      answer: null,
      whenAcked: [],
      onEnd: ended,
    };
    line.addDialog(dialog);
    this.repeatAck = line.acknowledge(dialog, response.cseq.number);
    if (giveUp !== null) {
      // The answer crossed our CANCEL: the call is taken and put down.
      void line.hangUp(dialog);
      return this.finish({ kind: giveUp });
    }
    const call: ActiveCall = {
      callId: dialog.facts.callId,
      hangUp: () => line.hangUp(dialog),
      waitEnd: async () => ((await end) === "remote" ? "remote" : "local"),
    };
    this.finish({ kind: "answered", call, provisional: this.provisional, pddMs: this.pddMs ?? 0 });
  }

  /** CANCEL may only follow a provisional answer (RFC 3261 §9.1); without one the INVITE is given up silently after the grace. */
  private cancel(why: "timeout" | "canceled"): void {
    if (this.giveUp !== null) return;
    this.giveUp = why;
    if (this.provisional.length > 0) this.sendCancel();
    setTimeout(() => {
      this.finish({ kind: why });
      if (this.provisional.length === 0) this.started?.machine.terminate();
    }, CANCEL_GRACE_MS).unref();
  }

  private sendCancel(): void {
    if (this.isCancelSent || this.started === null) return;
    this.isCancelSent = true;
    const { request, branch } = this.started;
    const text = writeHopByHop(request, "CANCEL", headerValue(request.headers, "to") ?? "");
    const ignored = { onResponse: () => undefined, onFailed: () => undefined };
    startMachine(
      this.line.stack,
      { request: { ...request, method: "CANCEL" }, text, branch, flow: this.flow },
      ignored,
    );
  }

  private finish(result: PhoneCallResult): void {
    if (this.ringTimer !== null) clearTimeout(this.ringTimer);
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.resolve(result);
  }
}
