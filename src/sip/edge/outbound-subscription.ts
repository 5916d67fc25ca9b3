/**
 * An app accepts a SUBSCRIBE, or a REFER (RFC 6665 §4.2.1, RFC 3515 §2.4): outside a dialog that begins the subscription's, inside one it prolongs it.
 * Called by outbound-response.ts.
 */
import type { AppLink } from "./app-link.js";
import type { Incoming } from "./call-state.js";
import { refreshTarget, uasDialogFacts } from "./dialog.js";
import { type EdgeContext, firstSeq } from "./edge-context.js";
import { eventBegun, type EventName, grantedSeconds } from "./event-header.js";
import { type Answer, refuse, respond } from "./incoming.js";
import { RETRY_AFTER_S } from "./limits.js";
import { ownContact } from "./own-address.js";
import { hasHeader, header, headerValue } from "./sip-message.js";
import { beginSubscription, prolong } from "./subscription.js";

/** @returns the answer as sent; null when none was, or another one */
export function acceptSubscription(ctx: EdgeContext, app: AppLink, incoming: Incoming, answer: Answer): string | null {
  const { message } = incoming.request;
  const given = answer.headers ?? [];
  const seconds = grantedSeconds(message, given);
  const event = eventBegun(message, given);
  if (event !== null && !takeUp(ctx, app, incoming, event, seconds)) {
    refuse(ctx, incoming, 503, [header("Retry-After", String(RETRY_AFTER_S))]);
    return null;
  }
  const isSubscribe = message.method === "SUBSCRIBE";
  const contact = hasHeader(given, "contact") ? [] : [header("Contact", ownContact(incoming.flow, message.uri))];
  const rest = isSubscribe
    ? [...given.filter((one) => one.key !== "expires"), header("Expires", String(seconds))]
    : given;
  const { dialog } = incoming;
  const text = respond(ctx, incoming, { ...answer, headers: [...contact, ...rest] });
  if (text === null || dialog === null) return text;
  refreshTarget(dialog, message);
  dialog.localContact = headerValue(given, "contact") ?? dialog.localContact;
  return text;
}

/** False where there is no room. A subscription inside a call is not counted: it ends with the call. */
function takeUp(ctx: EdgeContext, app: AppLink, incoming: Incoming, event: EventName, seconds: number): boolean {
  const { request, entry, flow, dialogId: id } = incoming;
  // A REFER inside a dialog that is no call's has its NOTIFYs there, and no time of its own.
  if (incoming.dialog !== null)
    return request.message.method === "REFER" || prolong(ctx, incoming.dialog, event, seconds);
  const facts = uasDialogFacts(request, entry.localTag, firstSeq(ctx.random));
  incoming.dialog = beginSubscription(ctx, { id, role: "uas", facts, app, flow, event, seconds });
  return incoming.dialog !== null;
}
