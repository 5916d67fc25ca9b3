/**
 * An INVITE of an app, first or inside a dialog, from its sending to the last of its 2xx answers (RFC 3261 §13.2.2, §14.1; RFC 6026). One dialog per
 * INVITE: the answers of further branches of a fork are acknowledged and hung up here.
 */
import type { AppLink } from "./app-link.js";
import { tellFailed, tellMessage, tellRequestSent } from "./app-notices.js";
import type { Dialog, Outgoing, SentInvite } from "./call-state.js";
import { cdrAttempt, cdrStart, cdrStop } from "./cdr.js";
import { contactUri, dialogNextHop, dialogRequest, uacDialogFacts, uacRoute } from "./dialog.js";
import { beginDialog, endDialog } from "./dialog-life.js";
import { dialogId } from "./dialog-table.js";
import type { EdgeContext } from "./edge-context.js";
import { failureResponse } from "./failure-response.js";
import { hangUp } from "./hang-up.js";
import { keptText } from "./kept-text.js";
import { MAX_BRANCHES, MAX_RINGING_MS } from "./limits.js";
import type { CheckedResponse } from "./message-check.js";
import { cancelOutgoing } from "./outbound-cancel.js";
import { sendText, sendWithVia, type Started, startRequest } from "./outgoing.js";
import { reach } from "./reach.js";
import { reliableSeq } from "./reliable-provisional.js";
import { agreedSession } from "./session-expires.js";
import { rememberSdp, setSession } from "./session-timer.js";
import { headerValue, type SipMessage, type SipRequest } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { parseNameAddr } from "./name-addr.js";
import { transactionTimeoutMs } from "./timers.js";
import type { Flow } from "./transport.js";

export interface InviteToStart {
  /** Complete but for its Via. */
  readonly request: SipRequest;
  readonly flow: Flow;
  /** Null for the INVITE that begins a call. */
  readonly dialog: Dialog | null;
}

/**
 * One INVITE while its client transaction lives: for up to 64*T1 after the first 2xx, too, and then without the call, its messages and its dialog.
 */
interface Life {
  /** Null before the INVITE is out, and from the first 2xx on. */
  call: Call | null;
  answered: Answered | null;
}

interface Answered {
  readonly toTag: string;
  readonly sent: SentInvite;
  readonly flow: Flow;
}

/** What is known of one INVITE without a final answer. */
interface Call {
  readonly outgoing: Outgoing;
  readonly isInitial: boolean;
  dialog: Dialog | null;
  /** To tag → RSeq of the last reliable 1xx that the app was shown (RFC 3262 §4). */
  readonly reliable: Map<string, number>;
}

/** The app gets its echo (or NOK), then every response until the final one. */
export function startInvite(ctx: EdgeContext, app: AppLink, msgId: string, what: InviteToStart): void {
  const life: Life = { call: null, answered: null };
  const started = startRequest(ctx, what.request, what.flow, {
    onResponse: (response) => onInviteResponse(ctx, life, response),
    onFailed: (status) => life.call !== null && onNoAnswer(ctx, life.call, status),
  });
  if (started === null) return tellFailed(ctx, app, msgId, "too many transactions");
  ctx.counters.add("invites_sent");
  const outgoing = openOutgoing(ctx, app, started, what);
  life.call = { outgoing, isInitial: what.dialog === null, dialog: what.dialog, reliable: new Map() };
  tellRequestSent(ctx, app, { msgId, flow: what.flow, text: started.text, txn: outgoing.txn });
}

/** A function of its own, so that its closures share nothing with the handlers, which live as long as the transaction. */
function openOutgoing(ctx: EdgeContext, app: AppLink, started: Started, what: InviteToStart): Outgoing {
  const { flow, dialog } = what;
  const { request, text, branch, machine } = started;
  const fromTag = parseNameAddr(headerValue(request.headers, "from") ?? "")?.params.get("tag") ?? "";
  const outgoing: Outgoing = {
    txn: ctx.random.uuid(),
    app,
    request,
    branch,
    flow,
    machine,
    dialogId: dialog?.id ?? dialogId(headerValue(request.headers, "call-id") ?? "", fromTag),
    cancel: "no",
    heldCancel: null,
    isAbandoned: false,
    ringing: ctx.scheduler.after(MAX_RINGING_MS, () => cancelOutgoing(ctx, outgoing)),
  };
  ctx.transactions.outgoing.set(outgoing.txn, outgoing);
  if (dialog !== null) dialog.ourInvite = outgoing;
  else cdrAttempt(ctx, "application", () => text);
  return outgoing;
}

function onInviteResponse(ctx: EdgeContext, life: Life, response: CheckedResponse): void {
  const { status } = response.message;
  const { call, answered } = life;
  if (answered !== null) return onRepeatedAnswer(ctx, answered, response);
  if (call === null) return;
  const { outgoing } = call;
  if (status < 200) {
    outgoing.heldCancel?.send();
    if (!isNewProvisional(call, response)) return ctx.counters.add("retransmissions_absorbed");
    if (call.isInitial && status > 100 && response.toTag !== null) updateDialog(ctx, call, response);
    return forward(ctx, outgoing, response);
  }
  settle(ctx, call);
  if (status >= 300) {
    if (call.isInitial) stopAttempt(ctx, call, response.message);
    return forward(ctx, outgoing, response);
  }
  life.call = null;
  life.answered = answeredBy(call, response);
  onAnswer(ctx, call, response, life.answered.sent);
}

function answeredBy({ outgoing, isInitial }: Call, response: CheckedResponse): Answered {
  // A re-INVITE's answer may do without: the dialog has its target.
  const hasContact = !isInitial || headerValue(response.message.headers, "contact") !== null;
  const sent: SentInvite = {
    cseq: response.cseq.number,
    credentials: outgoing.request.headers.filter(
      (one) => one.key === "authorization" || one.key === "proxy-authorization",
    ),
    ack: null,
    byeAfterAck: outgoing.cancel === "sent" ? "cancel" : hasContact ? null : "no_contact",
    timer: null,
  };
  return { toTag: keptText(response.toTag ?? ""), sent, flow: outgoing.flow };
}

/**
 * False for a reliable 1xx that was seen already (its PRACK is under way, and repeats itself) or that came before the one it follows, which the
 * peer repeats until it is acknowledged (RFC 3262 §4).
 */
function isNewProvisional(call: Call, response: CheckedResponse): boolean {
  const seq = reliableSeq(response.message.headers);
  if (seq === null || response.toTag === null) return true;
  const last = call.reliable.get(response.toTag);
  if (last !== undefined && seq !== last + 1) return false;
  if (last === undefined && call.reliable.size >= MAX_BRANCHES) return false;
  call.reliable.set(response.toTag, seq);
  return true;
}

function stopAttempt(ctx: EdgeContext, call: Call, message: SipMessage): void {
  if (call.dialog !== null) endDialog(ctx, call.dialog);
  const reason = call.outgoing.cancel === "no" ? "call-rejected" : "call-canceled";
  cdrStop(ctx, "network", reason, () => writeMessage(message));
}

/** The final answer ends the TXN; a CANCEL that was still held is moot. */
function settle(ctx: EdgeContext, call: Call): void {
  const { outgoing } = call;
  ctx.transactions.outgoing.delete(outgoing.txn);
  outgoing.ringing?.cancel();
  outgoing.heldCancel?.drop();
  if (call.dialog?.ourInvite === outgoing) call.dialog.ourInvite = null;
}

function forward(ctx: EdgeContext, outgoing: Outgoing, response: CheckedResponse): void {
  if (outgoing.isAbandoned) return;
  const { app, flow, txn } = outgoing;
  tellMessage(ctx, app, { message: response.message, flow, txn, dialogId: outgoing.dialogId });
}

function updateDialog(ctx: EdgeContext, call: Call, response: CheckedResponse): void {
  const { outgoing, dialog } = call;
  if (dialog === null) {
    const facts = uacDialogFacts(response, outgoing.request.uri);
    call.dialog = beginDialog(ctx, {
      id: outgoing.dialogId,
      role: "uac",
      facts,
      app: outgoing.app,
      flow: outgoing.flow,
    });
    return;
  }
  updatePeer(dialog, response, outgoing.request.uri);
}

function onAnswer(ctx: EdgeContext, call: Call, response: CheckedResponse, sent: SentInvite): void {
  const { outgoing } = call;
  const dialog = call.isInitial ? confirmDialog(ctx, call, response) : call.dialog;
  // No room, an app that is gone, or a re-INVITE that a BYE has overtaken: the peer must still get its ACK, and a BYE.
  if (dialog === null || dialog.state === "ended" || outgoing.isAbandoned) {
    return releaseAnswer(ctx, response, outgoing.flow, sent, dialog);
  }
  if (!call.isInitial) dialog.remoteTarget = contactUri(response.message) ?? dialog.remoteTarget;
  dialog.toAck.push(sent);
  rememberSdp(dialog, outgoing.request.body);
  setSession(ctx, dialog, agreedSession(outgoing.request, response));
  sent.timer = ctx.scheduler.after(transactionTimeoutMs(ctx.timers), () => {
    hangUp(ctx, dialog, { why: "the application sent no ACK", tellApp: true });
  });
  if (call.isInitial) cdrStart(ctx, "network", "uac", () => writeMessage(response.message));
  forward(ctx, outgoing, asOk(response));
}

/** Any 2xx answers an INVITE as 200 does (RFC 3261 §8.1.3.2); srf takes only that for an answer, and would leave the call of another to itself. */
function asOk(response: CheckedResponse): CheckedResponse {
  return response.message.status === 200 ? response : { ...response, message: { ...response.message, status: 200 } };
}

function confirmDialog(ctx: EdgeContext, call: Call, response: CheckedResponse): Dialog | null {
  updateDialog(ctx, call, response);
  const { dialog } = call;
  if (dialog === null) return null;
  // Requests that were sent meanwhile keep their numbers.
  dialog.localSeq = Math.max(dialog.localSeq, response.cseq.number);
  if (dialog.state === "early") dialog.state = "confirmed";
  return dialog;
}

/** What the last answer says replaces what those before it said (§12.1.2, §13.2.2.4). */
function updatePeer(dialog: Dialog, response: CheckedResponse, requestUri: string): void {
  const { routeSet, remoteTarget } = uacRoute(response, requestUri);
  dialog.remoteTag = response.toTag ?? "";
  dialog.routeSet = routeSet;
  dialog.remoteTarget = remoteTarget;
}

/** The same 2xx again means that its ACK was lost; another tag means that another branch of a fork was answered too. */
function onRepeatedAnswer(ctx: EdgeContext, answered: Answered, response: CheckedResponse): void {
  if (response.toTag !== answered.toTag) return releaseAnswer(ctx, response, answered.flow, null, null);
  const { ack } = answered.sent;
  if (ack !== null) sendText(ack.flow, ack.text);
}

/** ACK and BYE for an answer that no app will have. */
export function releaseAnswer(
  ctx: EdgeContext,
  response: CheckedResponse,
  flow: Flow,
  sent: SentInvite | null,
  dialog: Dialog | null,
): void {
  if (sent !== null && dialog !== null && dialog.state !== "ended") {
    dialog.toAck.push(sent);
    return hangUp(ctx, dialog, { why: "nobody takes the call any more", tellApp: false });
  }
  const facts = uacDialogFacts(response, response.to.uri);
  const hop = dialogNextHop(facts);
  if (hop === null) return;
  reach(ctx, hop, (reached) => {
    const way = reached.kind === "flow" ? reached.flow : flow;
    const ack = sendWithVia(
      ctx,
      dialogRequest(facts, { method: "ACK", seq: facts.localSeq, headers: sent?.credentials ?? [] }),
      way,
    );
    if (sent !== null) sent.ack = { text: ack, flow: way };
    const bye = dialogRequest(facts, { method: "BYE", seq: facts.localSeq + 1 });
    startRequest(ctx, bye, way, { onResponse: () => undefined, onFailed: () => undefined });
  });
}

/** 408 or 503 in the network's name (RFC 3261 §8.1.3.1). */
function onNoAnswer(ctx: EdgeContext, call: Call, status: 408 | 503): void {
  const { outgoing } = call;
  settle(ctx, call);
  const message = failureResponse(outgoing.request, status);
  if (call.isInitial) stopAttempt(ctx, call, message);
  if (outgoing.isAbandoned) return;
  tellMessage(ctx, outgoing.app, { message, flow: outgoing.flow, txn: outgoing.txn, dialogId: outgoing.dialogId });
}
