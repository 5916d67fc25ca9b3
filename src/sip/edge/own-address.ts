/** How the edge names itself towards a peer: Contact, and `localhost` in what an app wrote, which drachtio apps use for "the server". */
import { header, type Header } from "./sip-message.js";
import { parseNameAddr } from "./name-addr.js";
import { formatParams } from "./params.js";
import { formatHost } from "./sip-uri.js";
import type { Flow } from "./transport.js";

export function ownHostPort(flow: Flow): string {
  return `${formatHost(flow.localHost)}:${flow.transport.port}`;
}

/** @param peerUri the request URI of the INVITE: sips: asks for a sips: Contact (RFC 3261 §8.1.1.8, §12.1.1) */
export function ownContact(flow: Flow, peerUri = ""): string {
  if (/^sips:/i.test(peerUri)) return `<sips:${ownHostPort(flow)}>`;
  return `<sip:${ownHostPort(flow)}${transportParam(flow)}>`;
}

const NAMING_FIELDS = new Set(["from", "to", "contact", "p-asserted-identity"]);
const LOCALHOST = /@localhost(?::\d+)?(?=[;?>\s]|$)/;

/** `sip:+14155550100@localhost` → our own address as this peer sees it; other values and fields stay as they are. */
export function replaceLocalhost(one: Header, flow: Flow): Header {
  if (!NAMING_FIELDS.has(one.key) || !LOCALHOST.test(one.value)) return one;
  const party = parseNameAddr(one.value);
  if (party === null) return header(one.name, one.value.replace(LOCALHOST, `@${ownHostPort(flow)}`));
  const uri =
    party.uri.replace(LOCALHOST, `@${ownHostPort(flow)}`) + (one.key === "contact" ? transportParam(flow) : "");
  return header(one.name, `${party.display === "" ? "" : `${party.display} `}<${uri}>${formatParams(party.params)}`);
}

/** Without it the peer would send its requests in the dialog over UDP (RFC 3263 §4.1). */
function transportParam(flow: Flow): string {
  return flow.transport.kind === "udp" ? "" : `;transport=${flow.transport.kind}`;
}
