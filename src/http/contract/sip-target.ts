/**
 * SIP URIs that calls may be sent to (RFC 3261 §19.1). A URI is put into messages of ours and decides where packets go, so it is read strictly: no
 * spaces or control characters, no embedded headers, and the address it leads to is known to be public or not.
 */
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { AppError } from "../../kernel/errors.js";
import { isWithin, parseNetwork } from "../../kernel/network.js";
import { parseE164 } from "../../telephony/e164.js";

const URI_CHARS_MAX = 255;
// user[:password]@ — host or [IPv6] — :port — ;parameters. Headers (?…) would let a destination write into our requests.
const SIP_URI =
  /^sips?:(?:(?:[\w\-.!~*'()&=+$,;?/]|%[0-9a-f]{2})+(?::(?:[\w\-.!~*'()&=+$,]|%[0-9a-f]{2})*)?@)?(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9.])?)(?::(\d{1,5}))?((?:;[\w\-.!~*'()[\]/:&+$%]+(?:=[\w\-.!~*'()[\]/:&+$%]+)?)*)$/i;

export interface SipTarget {
  readonly host: string;
  /** The hosts that a packet may go to: the host itself, and what a maddr parameter puts in its place (RFC 3261 §19.1.1). */
  readonly hosts: readonly string[];
}

/** @returns null for anything that is no SIP URI we would call */
export function parseSipTarget(text: string): SipTarget | null {
  if (text.length > URI_CHARS_MAX) return null;
  const [, host, port, parameters] = SIP_URI.exec(text) ?? [];
  if (host === undefined || !isHost(host)) return null;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return null;
  const replaced = /;maddr=([^;]+)/i.exec(parameters ?? "")?.[1];
  if (replaced !== undefined && !isHost(replaced)) return null;
  return { host, hosts: replaced === undefined ? [host] : [host, replaced] };
}

export const sipUriIn = z
  .string()
  .refine((text) => parseSipTarget(text) !== null, "must be a SIP URI with a host, e.g. sip:sales@pbx.example.com:5060")
  .meta({ description: "SIP URI (RFC 3261 §19.1), no headers", examples: ["sip:sales@pbx.example.com"] });

export const FAILOVER_MAX = 10;

export const failoverIn = z
  .array(
    z
      .string()
      .refine(
        (text) => parseE164(text) !== null || parseSipTarget(text) !== null,
        "must be an E.164 number or a SIP URI",
      ),
  )
  .max(FAILOVER_MAX);

/**
 * Who rents a pool must not reach into the operator's network.
 * @throws AppError("invalid_value") when one of the URIs leads to an address that is not public
 */
export function assertPublicTargets(input: {
  sip_uri?: string | null | undefined;
  failover?: readonly string[] | undefined;
}): void {
  const named = [
    { path: "sip_uri", uri: input.sip_uri ?? null },
    ...(input.failover ?? []).map((uri, index) => ({ path: `failover.${index}`, uri })),
  ];
  const fields = named
    .filter(({ uri }) => uri !== null && (parseSipTarget(uri)?.hosts ?? []).some(isPrivateHost))
    .map(({ path }) => ({ path, message: "a private or loopback address can be set with an admin key only" }));
  if (fields.length > 0) {
    throw new AppError("invalid_value", "Calls of an account go to public addresses; see errors.", { fields });
  }
}

/** The addresses of examples (RFC 5737, RFC 3849): nobody's network, so nothing to protect, and every manual uses them. */
const DOCUMENTATION = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"].flatMap(
  (cidr) => parseNetwork(cidr) ?? [],
);

/** Everything but global unicast, in any notation a resolver would take for an address (127.1, 0x7f.1, ::ffff:127.0.0.1), and local names. */
export function isPrivateHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (ipaddr.isValid(bare)) {
    const address = ipaddr.process(bare);
    const isExample = DOCUMENTATION.some((network) => isWithin(address, network));
    return !isExample && address.range() !== "unicast";
  }
  return !bare.includes(".") || /\.(localhost|local|internal|home\.arpa)$/i.test(bare);
}

function isHost(text: string): boolean {
  if (text.startsWith("[")) return ipaddr.IPv6.isValid(text.slice(1, -1));
  if (ipaddr.IPv4.isValid(text)) return true;
  const labels = text.replace(/\.$/, "").split(".");
  // A last label of digits is an address that failed to parse, not a name (RFC 1123 §2.1).
  return (
    labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)) && !/^\d+$/.test(labels.at(-1) ?? "")
  );
}
