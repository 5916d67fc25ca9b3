/**
 * An app's provisional answer that must arrive (RFC 3262 §3): with `Require: 100rel` of the app, or because the caller requires it. Called by
 * outbound-response.ts, which sends all other answers.
 */
import type { Dialog, Incoming } from "./call-state.js";
import { type EdgeContext, firstSeq } from "./edge-context.js";
import { giveUpInvite } from "./inbound-cancel.js";
import { type Answer, respond, responseDestination } from "./incoming.js";
import { MAX_WAITING_ANSWERS } from "./limits.js";
import { ownContact } from "./own-address.js";
import { createReliableProvisionals, names100rel } from "./reliable-provisional.js";
import { rememberSdp } from "./session-timer.js";
import { header, type Header, hasHeader, headerValues } from "./sip-message.js";

export function mustBeReliable(incoming: Incoming, answer: Answer): boolean {
  const { message } = incoming.request;
  if (message.method !== "INVITE" || answer.status <= 100 || answer.status >= 200) return false;
  return names100rel(answer.headers ?? [], "require") || names100rel(message.headers, "require");
}

export function supports100rel(incoming: Incoming): boolean {
  const { headers } = incoming.request.message;
  return names100rel(headers, "supported") || names100rel(headers, "require");
}

/**
 * Sends now, or after the PRACK that has to come first: another reliable answer (§3), a 2xx while a session description is unacknowledged (§5),
 * and what the app said after those. @returns false when too many wait already
 */
export function sendInOrder(incoming: Incoming, answer: Answer, send: () => void): boolean {
  const { reliable } = incoming;
  const outstanding = reliable?.outstanding ?? null;
  const mustWait =
    outstanding !== null &&
    (mustBeReliable(incoming, answer) || (answer.status >= 200 && outstanding.hasSession)) &&
    answer.status < 300;
  const isBehind = reliable !== null && reliable.waiting.length > 0 && answer.status < 300;
  if (reliable === null || (!mustWait && !isBehind)) {
    send();
    return true;
  }
  if (reliable.waiting.length >= MAX_WAITING_ANSWERS) return false;
  reliable.waiting.push(send);
  return true;
}

/** @returns the answer as sent; null when a final one had been given */
export function ringReliably(ctx: EdgeContext, incoming: Incoming, dialog: Dialog, answer: Answer): string | null {
  const { flow, request } = incoming;
  incoming.reliable ??= createReliableProvisionals(
    firstSeq(ctx.random) + 1,
    request.cseq.number,
    ctx.timers,
    ctx.scheduler,
  );
  const { reliable } = incoming;
  dialog.reliable = reliable;
  const seq = reliable.nextSeq();
  const given = answer.headers ?? [];
  const require = names100rel(given, "require") ? [] : [header("Require", "100rel")];
  const headers = [...dialogHeaders(incoming, answer, true), ...require, header("RSeq", String(seq)), ...given];
  const text = respond(ctx, incoming, { ...answer, headers });
  if (text === null) return null;
  rememberSdp(dialog, answer.body ?? "");
  const to = responseDestination(incoming.via, flow);
  reliable.sent(seq, (answer.body ?? "") !== "", {
    send: () => flow.transport.send(text, to, () => undefined),
    onTimeout: () => {
      ctx.counters.add("prack_timeouts");
      giveUpInvite(ctx, incoming, 504);
    },
  });
  return text;
}

/** Record-Route is copied into what makes a dialog (RFC 3261 §12.1.1); a 2xx and a reliable 1xx always name our Contact. */
export function dialogHeaders(incoming: Incoming, answer: Answer, isReliable: boolean): Header[] {
  const isInitial = incoming.request.toTag === null;
  const routes = isInitial ? headerValues(incoming.request.message.headers, "record-route") : [];
  const needsContact = (isReliable || answer.status >= 200) && !hasHeader(answer.headers ?? [], "contact");
  return [
    ...routes.map((route) => header("Record-Route", route)),
    ...(needsContact ? [header("Contact", ownContact(incoming.flow, incoming.request.message.uri))] : []),
  ];
}
