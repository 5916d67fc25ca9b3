/**
 * The SIP stack under a development phone: one UDP socket, the edge's own parser and transactions, and the dialogs this phone is in. sip-phone.ts
 * places and takes the calls.
 */
import { isIP } from "node:net";
import type { Clock } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import type { Incoming } from "../sip/edge/call-state.js";
import { type DialogFacts, dialogNextHop, dialogRequest } from "../sip/edge/dialog.js";
import { createStack, type StackContext } from "../sip/edge/edge-context.js";
import { openIncoming, respond, responseDestination } from "../sip/edge/incoming.js";
import { matchRequest, matchResponse } from "../sip/edge/match-transaction.js";
import { type CheckedRequest, checkRequest, isAnswerable } from "../sip/edge/message-check.js";
import { sendText, sendWithVia, startRequest } from "../sip/edge/outgoing.js";
import { ownContact } from "../sip/edge/own-address.js";
import { header, headerValues } from "../sip/edge/sip-message.js";
import type { Parsed } from "../sip/edge/sip-parser.js";
import { replyStateless } from "../sip/edge/stateless-reply.js";
import type { SipTimers } from "../sip/edge/timers.js";
import type { Flow } from "../sip/edge/transport.js";
import { UdpTransport } from "../sip/edge/transport-udp.js";
import { repeatUntilAcked, type UasAnswer } from "../sip/edge/uas-answer.js";
import { DEFAULT_SIP_PORT } from "../sip/edge/via.js";
import { phoneSdp } from "./phone-sdp.js";

/** `lost`: the other side never acknowledged our answer. */
export type CallEnd = "remote" | "local" | "canceled" | "lost";

/** One call this phone is in. */
export interface PhoneDialog {
  readonly facts: DialogFacts;
  readonly flow: Flow;
  /** Our 200 that has no ACK yet. */
  answer: UasAnswer | null;
  whenAcked: (() => void)[];
  onEnd(by: CallEnd): void;
}

export interface PhoneLineOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers?: Partial<SipTimers> | undefined;
  onInvite(invite: Incoming): void;
  onCancel(invite: Incoming): void;
}

export class PhoneLine {
  readonly stack: StackContext & { readonly scheduler: { stop(): void } };
  readonly transport: UdpTransport;
  private readonly options: PhoneLineOptions;
  private readonly dialogs = new Map<string, PhoneDialog>();
  private sdpVersion = 1;

  constructor(options: PhoneLineOptions) {
    this.options = options;
    this.stack = createStack(options);
    this.stack.sources.allow(["0.0.0.0/0", "::/0"]);
    const { clock, log, counters, sources } = this.stack;
    const receive = (parsed: Parsed, flow: Flow): void => this.stack.guard(() => this.receive(parsed, flow));
    this.transport = new UdpTransport(options.host, options.port, { clock, log, counters, sources, receive });
  }

  get liveDialogs(): PhoneDialog[] {
    return [...this.dialogs.values()];
  }

  sdp(): string {
    return phoneSdp(this.transport.host, this.sdpVersion++);
  }

  flowTo(address: string, port: number): Flow {
    return { transport: this.transport, localHost: this.transport.host, peer: { address, port }, isTrusted: true };
  }

  addDialog(dialog: PhoneDialog): void {
    this.dialogs.set(dialogKey(dialog.facts.callId, dialog.facts.localTag), dialog);
  }

  /** Ends the call in this phone's books; idempotent. */
  endDialog(dialog: PhoneDialog, by: CallEnd): void {
    if (!this.dialogs.delete(dialogKey(dialog.facts.callId, dialog.facts.localTag))) return;
    dialog.answer?.stop();
    dialog.answer = null;
    dialog.onEnd(by);
  }

  /** Sends BYE, after the ACK of our answer when that is still missing; resolves with the answer to the BYE, or when none came. */
  hangUp(dialog: PhoneDialog, by: CallEnd = "local"): Promise<void> {
    return new Promise((resolve) => {
      const bye = (): void => {
        if (!this.dialogs.has(dialogKey(dialog.facts.callId, dialog.facts.localTag))) return resolve();
        this.endDialog(dialog, by);
        const request = dialogRequest(dialog.facts, { method: "BYE", seq: ++dialog.facts.localSeq });
        startRequest(this.stack, request, this.wayTo(dialog), {
          onResponse: (response) => response.message.status >= 200 && resolve(),
          onFailed: () => resolve(),
        });
      };
      if (dialog.answer === null) bye();
      else dialog.whenAcked.push(bye);
    });
  }

  /** ACK of a 2xx; the text, so that a repeated 2xx can be given it again. */
  acknowledge(dialog: PhoneDialog, seq: number): () => void {
    const flow = this.wayTo(dialog);
    const text = sendWithVia(this.stack, dialogRequest(dialog.facts, { method: "ACK", seq }), flow);
    return () => sendText(flow, text);
  }

  /** 200 with SDP, repeated until its ACK. */
  answer(incoming: Incoming, dialog: PhoneDialog): void {
    const contact = header("Contact", ownContact(incoming.flow));
    // RFC 3261 §12.1.1: the proxies on the way stay in the call.
    const routes = headerValues(incoming.request.message.headers, "record-route");
    const headers = [
      contact,
      ...routes.map((route) => header("Record-Route", route)),
      header("Content-Type", "application/sdp"),
    ];
    const text = respond(this.stack, incoming, { status: 200, reason: "OK", headers, body: this.sdp() });
    if (text === null) return;
    const to = responseDestination(incoming.via, incoming.flow);
    dialog.answer = repeatUntilAcked(incoming.txn, this.stack.timers, this.stack.scheduler, {
      send: () => incoming.flow.transport.send(text, to, () => undefined),
      onAckTimeout: () => {
        dialog.answer = null;
        void this.hangUp(dialog, "lost");
      },
    });
  }

  private wayTo(dialog: PhoneDialog): Flow {
    const hop = dialogNextHop(dialog.facts);
    // A Contact by name came from where the call came from, or the answer.
    return hop === null || isIP(hop.host) === 0 ? dialog.flow : this.flowTo(hop.host, hop.port ?? DEFAULT_SIP_PORT);
  }

  private receive(parsed: Parsed, flow: Flow): void {
    if (parsed.kind !== "message") return;
    if (parsed.message.kind === "response") return matchResponse(this.stack, parsed.message, parsed.problem);
    const check = checkRequest(parsed.message);
    if (parsed.problem !== null || check.kind === "refused") {
      const problem = parsed.problem ?? (check.kind === "refused" ? check.problem : null);
      invariant(problem !== null, "a refused request has a problem");
      if (isAnswerable(parsed.message)) replyStateless(parsed.message, flow, problem);
      return;
    }
    if (!matchRequest(this.stack, check.request)) this.onRequest(check.request, flow);
  }

  private onRequest(request: CheckedRequest, flow: Flow): void {
    const { method } = request.message;
    const dialog = request.toTag === null ? undefined : this.dialogs.get(dialogKey(request.callId, request.toTag));
    if (method === "ACK") return onAck(dialog);
    const incoming = openIncoming(this.stack, request, flow);
    const say = (status: number, reason: string): void => void respond(this.stack, incoming, { status, reason });
    if (method === "CANCEL") return this.onCancel(incoming, say);
    if (method === "OPTIONS") return say(200, "OK");
    if (request.toTag !== null) {
      if (dialog === undefined) return say(481, "Call/Transaction Does Not Exist");
      return this.onDialogRequest(dialog, incoming, say);
    }
    if (method !== "INVITE") return say(405, "Method Not Allowed");
    say(100, "Trying");
    this.options.onInvite(incoming);
  }

  private onDialogRequest(
    dialog: PhoneDialog,
    incoming: Incoming,
    say: (status: number, reason: string) => void,
  ): void {
    const { method } = incoming.request.message;
    if (method === "INVITE") return this.answer(incoming, dialog);
    say(200, "OK");
    if (method === "BYE") this.endDialog(dialog, "remote");
  }

  /** 200 to the CANCEL, 487 to the INVITE with the same branch. */
  private onCancel(cancel: Incoming, say: (status: number, reason: string) => void): void {
    const branch = cancel.request.via.params.get("branch");
    const invite = [...this.stack.transactions.incoming.values()].find(
      (one) => one.request.message.method === "INVITE" && one.request.via.params.get("branch") === branch,
    );
    if (invite === undefined) return say(481, "Call/Transaction Does Not Exist");
    say(200, "OK");
    respond(this.stack, invite, { status: 487, reason: "Request Terminated" });
    this.options.onCancel(invite);
  }
}

function onAck(dialog: PhoneDialog | undefined): void {
  if (dialog === undefined || dialog.answer === null) return;
  dialog.answer.stop();
  dialog.answer = null;
  for (const act of dialog.whenAcked.splice(0)) act();
}

function dialogKey(callId: string, localTag: string): string {
  return `${callId}|${localTag}`;
}
