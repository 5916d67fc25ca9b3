/**
 * The session timer of a dialog (RFC 4028 §10): refreshes in time when that is our part, hangs up when nobody did. Set by whoever sends or gets
 * a 2xx to an INVITE or UPDATE; the app sees nothing of it but the BYE.
 */
import type { Dialog } from "./call-state.js";
import { contactUri, dialogRequest } from "./dialog.js";
import type { EdgeContext } from "./edge-context.js";
import { hangUp } from "./hang-up.js";
import { keptText } from "./kept-text.js";
import type { CheckedResponse } from "./message-check.js";
import { sendText, sendWithVia, startRequest } from "./outgoing.js";
import { reachDialog } from "./reach.js";
import { agreedSession, type Session, sessionHeaders } from "./session-expires.js";
import { header, type SipRequest } from "./sip-message.js";
import type { Flow } from "./transport.js";

/** §10: the side that does not refresh hangs up this long before the end, or a third of the interval when that is less. */
const BEFORE_END_S = 32;
/** A refresh that could not be sent or was refused is tried again after this part of the interval. */
const RETRY_PART = 1 / 10;

/** Replaces what ran. Null: no session timer any more. */
export function setSession(ctx: EdgeContext, dialog: Dialog, session: Session | null): void {
  dialog.session?.stop();
  dialog.session = null;
  if (session === null || dialog.state === "ended") return;
  const { seconds, isOursToRefresh } = session;
  const unitMs = ctx.timers.sessionSecondMs;
  const end = ctx.scheduler.after((seconds - Math.min(BEFORE_END_S, seconds / 3)) * unitMs, () => expire(ctx, dialog));
  let next = ctx.scheduler.after((seconds / 2) * unitMs, () => attempt());
  const attempt = (): void => {
    next = ctx.scheduler.after(seconds * RETRY_PART * unitMs, attempt);
    refresh(ctx, dialog, session);
  };
  if (!isOursToRefresh) next.cancel();
  dialog.session = {
    seconds,
    isOursToRefresh,
    stop() {
      end.cancel();
      next.cancel();
    },
  };
}

/** The SDP as this side last said it: what a refresh repeats. */
export function rememberSdp(dialog: Dialog, body: string): void {
  if (body.startsWith("v=0")) dialog.localSdp = keptText(body);
}

function expire(ctx: EdgeContext, dialog: Dialog): void {
  // While it rings there are other timers; its 2xx sets this one anew.
  if (dialog.state !== "confirmed") return;
  ctx.counters.add("sessions_expired");
  hangUp(ctx, dialog, { why: "Session timer expired", tellApp: true });
}

/** By re-INVITE with the last SDP (drachtio-server does the same); by UPDATE where this side never had one. */
function refresh(ctx: EdgeContext, dialog: Dialog, session: Session): void {
  // A request under way refreshes as well.
  if (dialog.state !== "confirmed" || dialog.ourInvite !== null || dialog.theirInvite !== null) return;
  if (dialog.ourUpdate || dialog.theirUpdate !== null || dialog.toAck.length > 0) return;
  const method = dialog.localSdp === "" ? "UPDATE" : "INVITE";
  const request = dialogRequest(dialog, {
    method,
    seq: ++dialog.localSeq,
    headers: [
      header("Contact", dialog.localContact),
      ...sessionHeaders(session, []),
      ...(dialog.localSdp === "" ? [] : [header("Content-Type", "application/sdp")]),
    ],
    body: dialog.localSdp,
  });
  dialog.ourUpdate = true;
  reachDialog(ctx, dialog, (reached) => {
    if (reached.kind === "failed" || dialog.state !== "confirmed") {
      dialog.ourUpdate = false;
      return;
    }
    sendRefresh(ctx, dialog, request, reached.flow);
  });
}

function sendRefresh(ctx: EdgeContext, dialog: Dialog, request: SipRequest, flow: Flow): void {
  const { method } = request;
  const seq = dialog.localSeq;
  let ack: string | null = null;
  const started = startRequest(ctx, request, flow, {
    onResponse: (response) => {
      const { status } = response.message;
      if (status < 200) return;
      dialog.ourUpdate = false;
      if (ack !== null) return sendText(flow, ack);
      if (status < 300 && method === "INVITE")
        ack = sendWithVia(ctx, dialogRequest(dialog, { method: "ACK", seq }), flow);
      onRefreshed(ctx, dialog, request, response);
    },
    onFailed: () => {
      dialog.ourUpdate = false;
      // §10: a peer that does not answer is gone.
      expire(ctx, dialog);
    },
  });
  if (started === null) dialog.ourUpdate = false;
}

function onRefreshed(ctx: EdgeContext, dialog: Dialog, request: SipRequest, response: CheckedResponse): void {
  const { status } = response.message;
  if (status === 408 || status === 481) return expire(ctx, dialog);
  if (status >= 300 || dialog.state === "ended") return;
  dialog.remoteTarget = contactUri(response.message) ?? dialog.remoteTarget;
  setSession(ctx, dialog, agreedSession(request, response));
}
