/**
 * Answers without a transaction (RFC 3261 §8.2.7): to requests too broken for one, and when there is no room for one. Whatever can be read of
 * the request is copied; the To tag is a digest of it, so that a retransmission gets the same answer.
 */
import { createHash } from "node:crypto";
import { responseDestination } from "./incoming.js";
import { type Header, header, headerValue, headerValues, listValues, type SipRequest } from "./sip-message.js";
import { writeMessage } from "./sip-writer.js";
import type { Flow } from "./transport.js";
import { formatVia, parseVia, stampVia } from "./via.js";

export interface StatelessAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers?: readonly Header[];
}

/** The caller has checked isAnswerable (message-check.ts). */
export function replyStateless(request: SipRequest, flow: Flow, answer: StatelessAnswer): void {
  const [top = "", ...below] = listValues(request.headers, "via");
  const via = parseVia(top);
  if (via === null) return;
  const stamped = stampVia(via, flow.peer);
  const to = headerValue(request.headers, "to") ?? "";
  const copies = ["from", "call-id", "cseq"].flatMap((key) =>
    headerValues(request.headers, key)
      .slice(0, 1)
      .map((value) => header(key, value)),
  );
  const text = writeMessage({
    kind: "response",
    status: answer.status,
    reason: answer.reason,
    headers: [
      header("Via", formatVia(stamped)),
      ...below.map((one) => header("Via", one)),
      header("To", /;\s*tag\s*=/i.test(to) ? to : `${to};tag=${digestTag(top, to)}`),
      ...copies,
      ...(answer.headers ?? []),
    ],
    body: "",
  });
  flow.transport.send(text, responseDestination(stamped, flow), () => undefined);
}

function digestTag(via: string, to: string): string {
  return createHash("sha256").update(`${via}|${to}`).digest("hex").slice(0, 16);
}
