/** An app answers a request from the network: checked against its transaction, completed, sent, echoed. A 2xx to an INVITE makes the call. */
import type { AppLink } from "./app-link.js";
import { appHeaders, contentTypeHeaders, RESPONSE_FIELDS } from "./app-headers.js";
import { tellFailed, tellResponseSent } from "./app-notices.js";
import type { SipCommand } from "./app-protocol.js";
import type { Dialog, Incoming } from "./call-state.js";
import { cdrStart, cdrStop } from "./cdr.js";
import { refreshTarget, uasDialogFacts } from "./dialog.js";
import { beginDialog } from "./dialog-life.js";
import { type EdgeContext, firstSeq } from "./edge-context.js";
import { beginsSubscription } from "./event-header.js";
import { hangUp } from "./hang-up.js";
import { type Answer, refuse, respond, responseDestination } from "./incoming.js";
import { InviteServerTransaction } from "./invite-server-transaction.js";
import { keptText } from "./kept-text.js";
import { MAX_TAG_BYTES, REPEAT_PROVISIONAL_MS, RETRY_AFTER_S } from "./limits.js";
import { dialogHeaders, mustBeReliable, ringReliably, sendInOrder, supports100rel } from "./outbound-reliable.js";
import { acceptSubscription } from "./outbound-subscription.js";
import { ownContact } from "./own-address.js";
import { answerSession } from "./session-expires.js";
import { rememberSdp, setSession } from "./session-timer.js";
import { hasHeader, header, headerValue, type SipResponse } from "./sip-message.js";
import { writeResponse } from "./sip-writer.js";
import { repeatUntilAcked } from "./uas-answer.js";

const UNKNOWN = "Response not sent due to unknown transaction";

export function sendResponse(ctx: EdgeContext, app: AppLink, command: SipCommand, message: SipResponse): void {
  const incoming = ctx.transactions.incoming.get(command.txn);
  // A second final answer, or one after a CANCEL, ends here too. drachtio-server says nothing then, and srf waits for ever.
  if (incoming === undefined || incoming.app !== app) return tellFailed(ctx, app, command.msgId, UNKNOWN);
  if (message.status < 100 || message.status > 699) return tellFailed(ctx, app, command.msgId, "invalid status code");
  const headers = appHeaders(message, RESPONSE_FIELDS, incoming.flow);
  const contentType = contentTypeHeaders(headers, message.body);
  if (contentType === null) return tellFailed(ctx, app, command.msgId, "missing content-type");
  claim(incoming, message);
  if (mustBeReliable(incoming, message) && !supports100rel(incoming)) {
    return tellFailed(ctx, app, command.msgId, "Remote endpoint does not support 100rel");
  }
  const answer: Answer = {
    status: message.status,
    reason: message.reason,
    headers: [...headers, ...contentType],
    body: message.body,
  };
  const isTaken = sendInOrder(incoming, answer, () => {
    const text = incoming.entry.unanswered === null ? null : sendAnswer(ctx, app, incoming, answer);
    if (text === null) tellFailed(ctx, app, command.msgId, UNKNOWN);
    else tellResponseSent(ctx, app, command.msgId, incoming, text);
  });
  if (!isTaken) tellFailed(ctx, app, command.msgId, "too many answers wait for a PRACK");
}

/** The app has taken the request up: the watchdog rests, and it may choose the To tag while none has gone out. */
function claim(incoming: Incoming, message: SipResponse): void {
  incoming.isClaimed = true;
  incoming.timers.get("silent")?.cancel();
  incoming.timers.delete("silent");
  const tag = /;\s*tag=([A-Za-z0-9\-.!%*_+`'~]+)\s*$/.exec(headerValue(message.headers, "to") ?? "")?.[1];
  const mayChoose = !incoming.isTagSent && incoming.dialog === null && incoming.request.toTag === null;
  if (tag !== undefined && tag.length <= MAX_TAG_BYTES && mayChoose) incoming.entry.localTag = keptText(tag);
}

function sendAnswer(ctx: EdgeContext, app: AppLink, incoming: Incoming, answer: Answer): string | null {
  const isInvite = incoming.request.message.method === "INVITE";
  if (!isInvite) return respondPlain(ctx, app, incoming, answer);
  // Our own 100 has gone out; a second one would only be noise on the wire. The app still gets its echo.
  if (answer.status === 100) return writeResponse(incoming.request, incoming.via, { ...answer, toTag: null });
  if (answer.status >= 300) return reject(ctx, incoming, answer);
  incoming.dialog ??= beginUasDialog(ctx, app, incoming);
  if (incoming.dialog === null) {
    refuse(ctx, incoming, 503, [header("Retry-After", String(RETRY_AFTER_S))]);
    return null;
  }
  if (mustBeReliable(incoming, answer)) return ringReliably(ctx, incoming, incoming.dialog, answer);
  const full = { ...answer, headers: [...dialogHeaders(incoming, answer, false), ...(answer.headers ?? [])] };
  return answer.status < 200 ? ring(ctx, incoming, full) : answerInvite(ctx, incoming, incoming.dialog, full);
}

function reject(ctx: EdgeContext, incoming: Incoming, answer: Answer): string | null {
  const text = respond(ctx, incoming, answer);
  if (text !== null && incoming.request.toTag === null) cdrStop(ctx, "application", "call-rejected", () => text);
  return text;
}

/** Anything but an INVITE. A 2xx to UPDATE accepts the peer's new Contact. */
function respondPlain(ctx: EdgeContext, app: AppLink, incoming: Incoming, answer: Answer): string | null {
  const { method } = incoming.request.message;
  const isSuccess = answer.status >= 200 && answer.status < 300;
  if (isSuccess && beginsSubscription(method)) return acceptSubscription(ctx, app, incoming, answer);
  const needsContact = isSuccess && method === "UPDATE" && !hasHeader(answer.headers ?? [], "contact");
  const own = needsContact ? [header("Contact", ownContact(incoming.flow, incoming.request.message.uri))] : [];
  const headers = [...own, ...(answer.headers ?? [])];
  if (method !== "UPDATE" || !isSuccess) return respond(ctx, incoming, { ...answer, headers });
  const agreed = answerSession(incoming.request, headers);
  const text = respond(ctx, incoming, { ...answer, headers: agreed.headers });
  if (text === null) return null;
  refreshTarget(incoming.dialog, incoming.request.message);
  if (incoming.dialog !== null) {
    rememberSdp(incoming.dialog, answer.body ?? "");
    setSession(ctx, incoming.dialog, agreed.session);
  }
  return text;
}

function beginUasDialog(ctx: EdgeContext, app: AppLink, incoming: Incoming): Dialog | null {
  const facts = uasDialogFacts(incoming.request, incoming.entry.localTag, firstSeq(ctx.random));
  return beginDialog(ctx, { id: incoming.dialogId, role: "uas", facts, app, flow: incoming.flow });
}

function ring(ctx: EdgeContext, incoming: Incoming, answer: Answer): string | null {
  const text = respond(ctx, incoming, answer);
  if (text !== null && !incoming.timers.has("repeat")) repeatRinging(ctx, incoming);
  return text;
}

function repeatRinging(ctx: EdgeContext, incoming: Incoming): void {
  const timer = ctx.scheduler.after(REPEAT_PROVISIONAL_MS, () => {
    const { machine } = incoming.entry;
    if (machine instanceof InviteServerTransaction) machine.repeatProvisional();
    repeatRinging(ctx, incoming);
  });
  incoming.timers.set("repeat", timer);
}

function answerInvite(ctx: EdgeContext, incoming: Incoming, dialog: Dialog, answer: Answer): string | null {
  const { headers, session } = answerSession(incoming.request, answer.headers ?? []);
  const text = respond(ctx, incoming, { ...answer, headers });
  if (text === null) return null;
  if (dialog.state === "ended") return text;
  rememberSdp(dialog, answer.body ?? "");
  setSession(ctx, dialog, session);
  dialog.state = "confirmed";
  const contact = headerValue(answer.headers ?? [], "contact");
  if (contact !== null) dialog.localContact = keptText(contact);
  if (incoming.request.toTag !== null) refreshTarget(incoming.dialog, incoming.request.message);
  else cdrStart(ctx, "application", "uas", () => text);
  const { flow, request } = incoming;
  const to = responseDestination(incoming.via, flow);
  const repeated = repeatUntilAcked(incoming.txn, ctx.timers, ctx.scheduler, {
    send: () => flow.transport.send(text, to, () => undefined),
    onAckTimeout: () => {
      ctx.counters.add("ack_timeouts");
      dialog.awaitingAck.clear();
      hangUp(ctx, dialog, { why: "ACK timeout", tellApp: true });
    },
  });
  dialog.awaitingAck.set(request.cseq.number, repeated);
  return text;
}
