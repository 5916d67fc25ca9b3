/** A response on its way back through the edge as a proxy (RFC 3261 §16.7): our Via off, everything else as it came. */
import type { Incoming } from "./call-state.js";
import type { EdgeContext } from "./edge-context.js";
import { respondText, responseDestination } from "./incoming.js";
import type { CheckedResponse } from "./message-check.js";
import { type Header, header } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import { formatVia } from "./via.js";

/**
 * A 2xx to an INVITE always goes on, also a repeated one or that of a second branch: the transaction is over then, the caller acts on each (§16.7
 * step 5, RFC 6026 §7.3). Of failures only the first does.
 */
export function relayResponse(
  ctx: EdgeContext,
  incoming: Incoming,
  response: CheckedResponse,
  extra: readonly Header[] = [],
): void {
  const { message } = response;
  const { request, via, flow } = incoming;
  const headers = [
    // Ours, not what came back: a called phone cannot send the answer elsewhere.
    header("Via", formatVia(via)),
    ...request.viasBelow.map((below) => header("Via", below)),
    ...message.headers.filter((one) => one.key !== "via"),
    ...extra,
  ];
  const text = writeMessage({ ...message, headers });
  if (respondText(ctx, incoming, message.status, text)) return;
  const isInviteSuccess = message.status >= 200 && message.status < 300 && response.cseq.method === "INVITE";
  if (isInviteSuccess) flow.transport.send(text, responseDestination(via, flow), () => undefined);
}
