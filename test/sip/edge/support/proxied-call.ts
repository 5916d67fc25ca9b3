/** What both sides of a record-routed call say, as raw texts. */
import { contactOf, field, type RawPeer, respondTo, SDP } from "./raw-peer.js";

export const uriOf = (peer: RawPeer): string => `sip:desk@127.0.0.1:${peer.port}`;

/** Every Via, Record-Route … of a raw text, in order. */
export function fields(text: string, name: string): string[] {
  return text
    .split("\r\n")
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2));
}

export const routed = (answer: string): string[] =>
  fields(answer, "Record-Route")
    .toReversed()
    .map((one) => `Route: ${one}`);

/** A request of the called phone inside the call. */
export function fromDesk(desk: RawPeer, invite: string, method: string, cseq: number, tag = "desk"): string {
  return [
    `${method} ${contactOf(invite)} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${desk.port};rport;branch=z9hG4bKdesk${desk.port}${method}${cseq}`,
    "Max-Forwards: 70",
    ...fields(invite, "Record-Route").map((one) => `Route: ${one}`),
    `From: ${field(invite, "To")};tag=${tag}`,
    `To: ${field(invite, "From")}`,
    `Call-ID: ${field(invite, "Call-ID")}`,
    `CSeq: ${cseq} ${method}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}

export function answer(desk: RawPeer, invite: string, tag = "desk"): string {
  const headers = fields(invite, "Record-Route").map((one) => `Record-Route: ${one}`);
  return respondTo(invite, 200, "OK", { tag, contact: uriOf(desk), headers, body: SDP });
}
