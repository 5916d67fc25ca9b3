/** CANCEL (RFC 3261 §9.2), and the other ways in which an INVITE ends before the app has answered it. */
import { tellDialogRequest } from "./app-notices.js";
import type { Incoming } from "./call-state.js";
import { cdrStop } from "./cdr.js";
import type { EdgeContext } from "./edge-context.js";
import { openIncoming, refuse } from "./incoming.js";
import type { CheckedRequest } from "./message-check.js";
import { type EdgeStatus, reasonPhrase } from "./reason-phrases.js";
import { type Header, header } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { serverKey } from "./transaction-table.js";
import type { Flow } from "./transport.js";

/**
 * 200 to the CANCEL, 487 to the INVITE, then the app is told. A CANCEL that comes after the final answer has no effect and still gets its 200:
 * the caller who lost that race acknowledges our 200 and hangs up (drachtio-server answers 481 there and sends a BYE).
 */
export function onCancel(ctx: EdgeContext, request: CheckedRequest, flow: Flow): void {
  const entry = ctx.transactions.servers.get(serverKey(request, "INVITE"));
  if (entry === undefined && !flow.isTrusted) return ctx.counters.add("dropped_stray_request");
  const cancel = openIncoming(ctx, request, flow);
  if (entry === undefined) return refuse(ctx, cancel, 481);
  cancel.entry.localTag = entry.localTag;
  refuse(ctx, cancel, 200);
  const invite = entry.unanswered;
  if (invite === null) return;
  // A proxy passes it on and answers with what comes back (§16.10).
  if (invite.proxy !== null) return invite.proxy.cancel();
  refuse(ctx, invite, 487);
  if (invite.request.toTag === null) cdrStop(ctx, "network", "call-canceled", () => writeMessage(request.message));
  tellCanceled(ctx, invite, request);
}

/** Ends an INVITE by the edge's own decision; an app that was told of it hears a CANCEL, and stops what it began for it. */
export function giveUpInvite(
  ctx: EdgeContext,
  invite: Incoming,
  status: EdgeStatus,
  headers: readonly Header[] = [],
): void {
  refuse(ctx, invite, status, headers);
  const { request } = invite;
  const reason = header("Reason", `SIP;cause=${status};text="${reasonPhrase(status)}"`);
  const cseq = header("CSeq", `${request.cseq.number} CANCEL`);
  const kept = request.message.headers.filter((one) => ["from", "to", "call-id"].includes(one.key));
  const message = { ...request.message, method: "CANCEL", headers: [...kept, cseq, reason], body: "" };
  const reasonForCdr = status === 487 ? "call-canceled" : "call-rejected";
  if (request.toTag === null) cdrStop(ctx, "application", reasonForCdr, () => writeMessage(message));
  tellCanceled(ctx, invite, { ...request, message });
}

/** Under the INVITE's TXN; without a dialog id when the app has said nothing yet. srf finds the INVITE by its Call-ID. */
function tellCanceled(ctx: EdgeContext, invite: Incoming, cancel: CheckedRequest): void {
  const { app, via, flow, txn } = invite;
  if (app !== null)
    tellDialogRequest(ctx, app, { request: cancel, via, flow, txn, dialogId: invite.isClaimed ? invite.dialogId : "" });
}
