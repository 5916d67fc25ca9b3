/**
 * Tools that scan the internet for open SIP servers name themselves in User-Agent or From. They get silence, like strangers: an answer of any
 * kind puts the address on the next list. Asked by inbound.ts for every request that begins something.
 */
import { headerValue, type SipRequest } from "./sip-message.js";

const SCANNERS = [
  "friendly-scanner",
  "sipvicious",
  "sipcli",
  "sip-cli",
  "sip-scan",
  "sipscan",
  "pplsip",
  "sundayddr",
  "iwar",
  "smap",
  "vaxsipuseragent",
  "vaxasip",
  "voipscan",
  "sivus",
  "siparmyknife",
  "sip-bot",
];

const PATTERN = new RegExp(SCANNERS.join("|"), "i");

export function isScanner(request: SipRequest): boolean {
  for (const key of ["user-agent", "from"]) {
    const value = headerValue(request.headers, key);
    if (value !== null && PATTERN.test(key === "from" ? partyName(value) : value)) return true;
  }
  return false;
}

/** Display name and user of a From, without its host: a carrier's domain may contain any word. */
function partyName(from: string): string {
  const at = from.indexOf("@");
  return at === -1 ? from : from.slice(0, at);
}
