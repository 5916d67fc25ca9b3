/** A request written out field by field, for raw-peer.ts: of methods other than INVITE, by either side of a dialog. */
import { contactOf, field } from "./raw-peer.js";

let count = 0;

export interface RawRequest {
  readonly method: string;
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly contact?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** With a branch of its own and a Contact of the peer. */
export function rawRequest(peer: { host: string; port: number }, what: RawRequest): string {
  count += 1;
  const body = what.body ?? "";
  return [
    `${what.method} ${what.uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${peer.host}:${peer.port};rport;branch=z9hG4bKraw${count}x${peer.port}`,
    "Max-Forwards: 70",
    `From: ${what.from}`,
    `To: ${what.to}`,
    `Call-ID: ${what.callId ?? `request-${process.pid}-${count}-${peer.port}`}`,
    `CSeq: ${what.cseq ?? 1} ${what.method}`,
    `Contact: <${what.contact ?? `sip:peer@${peer.host}:${peer.port}`}>`,
    ...(what.headers ?? []),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** By the called side of what `request` (which the edge sent) begins, with the To tag that its answer has. */
export function rawReply(
  peer: { host: string; port: number },
  request: string,
  tag: string,
  what: Omit<RawRequest, "uri" | "from" | "to" | "callId">,
): string {
  return rawRequest(peer, {
    ...what,
    uri: contactOf(request),
    from: `${field(request, "To")};tag=${tag}`,
    to: field(request, "From"),
    callId: field(request, "Call-ID"),
  });
}
