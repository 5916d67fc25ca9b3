/** Telling an app about a message: the frames of app-protocol.ts with this edge's ids and clock. */
import type { AppLink } from "./app-link.js";
import {
  dialogFrame,
  failedFrame,
  type FrameFacts,
  frameTime,
  newRequestFrame,
  okFrame,
  proxyResponseFrame,
  requestSentFrame,
  responseSentFrame,
  unsolicitedFrame,
} from "./app-protocol.js";
import type { Dialog, Incoming } from "./call-state.js";
import type { EdgeContext } from "./edge-context.js";
import type { CheckedRequest } from "./message-check.js";
import type { SipMessage } from "./sip-message.js";
import { writeMessage, writeReceived } from "./sip-writer.js";
import type { Flow } from "./transport.js";
import type { Via } from "./via.js";

export function tellNewRequest(ctx: EdgeContext, app: AppLink, incoming: Incoming): void {
  const message = requestText(incoming.request, incoming.via);
  app.send(newRequestFrame(facts(ctx, incoming.flow, message, incoming.txn, "")));
}

/** A request inside a dialog; also a CANCEL, under its INVITE's TXN. */
export function tellDialogRequest(
  ctx: EdgeContext,
  app: AppLink,
  what: {
    readonly request: CheckedRequest;
    readonly via: Via;
    readonly flow: Flow;
    readonly txn: string;
    readonly dialogId: string;
  },
): void {
  app.send(dialogFrame(facts(ctx, what.flow, requestText(what.request, what.via), what.txn, what.dialogId)));
}

/** A message in the network's name: a response, or what the edge says for a peer that stayed silent. */
export function tellMessage(
  ctx: EdgeContext,
  app: AppLink,
  what: { readonly message: SipMessage; readonly flow: Flow; readonly txn: string; readonly dialogId: string },
): void {
  app.send(dialogFrame(facts(ctx, what.flow, writeMessage(what.message), what.txn, what.dialogId)));
}

export function tellUnsolicited(ctx: EdgeContext, dialog: Dialog, flow: Flow, text: string): void {
  dialog.app.send(unsolicitedFrame(facts(ctx, flow, text, "", dialog.id)));
}

export function tellRequestSent(
  ctx: EdgeContext,
  app: AppLink,
  what: { readonly msgId: string; readonly flow: Flow; readonly text: string; readonly txn: string },
): void {
  app.send(requestSentFrame(what.msgId, facts(ctx, what.flow, what.text, what.txn, "")));
}

export function tellResponseSent(
  ctx: EdgeContext,
  app: AppLink,
  msgId: string,
  incoming: Incoming,
  text: string,
): void {
  app.send(responseSentFrame(msgId, facts(ctx, incoming.flow, text, incoming.txn, incoming.dialogId)));
}

/** A final response to an INVITE that the app had relayed. */
export function tellProxyResponse(
  ctx: EdgeContext,
  app: AppLink,
  msgId: string,
  message: SipMessage,
  flow: Flow,
): void {
  app.send(proxyResponseFrame(msgId, facts(ctx, flow, writeMessage(message), "", "")));
}

/** Nothing more will be said about the `proxy` message. */
export function tellProxyDone(ctx: EdgeContext, app: AppLink, msgId: string): void {
  app.send(okFrame(ctx.random.uuid(), msgId, "done"));
}

/** NOK: the app's message was understood and not carried out. */
export function tellFailed(ctx: EdgeContext, app: AppLink, msgId: string, reason: string): void {
  app.send(failedFrame(ctx.random.uuid(), msgId, "NOK", reason));
}

/** As the app gets it: header names spelled out, lines unfolded, the top Via with where it really came from. */
export function requestText(request: CheckedRequest, via: Via): string {
  return writeReceived(request, via);
}

function facts(ctx: EdgeContext, flow: Flow, message: string, txn: string, dialogId: string): FrameFacts {
  return { id: ctx.random.uuid(), time: frameTime(ctx.clock.now()), txn, dialogId, flow, message };
}
