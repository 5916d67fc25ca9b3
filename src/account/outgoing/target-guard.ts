/**
 * Where an outgoing request may go. Whoever sets an endpoint's URL chooses where our process connects to, so: public addresses, https and its usual ports
 * only, unless the operator listed the target's network (WEBHOOK_ALLOW_CIDRS). Link-local addresses, where clouds keep their metadata, are never listed
 * in effect. Used when an endpoint is set (literal addresses) and at each connection (whatever a name resolves to).
 */
import ipaddr from "ipaddr.js";
import { type Address, isWithin, type Network, parseNetwork } from "../../kernel/network.js";

export interface TargetGuard {
  /** The operator lets some private targets through. */
  readonly hasListed: boolean;
  /** @param address as text, in any notation; @param isUsual https on 443 or 8443 */
  allows(address: string, isUsual: boolean): boolean;
}

/** @param cidrs WEBHOOK_ALLOW_CIDRS */
export function createTargetGuard(cidrs: readonly string[]): TargetGuard {
  const networks = cidrs.flatMap((cidr) => parseNetwork(cidr) ?? []);
  return {
    hasListed: networks.length > 0,
    allows: (text, isUsual) => {
      if (!ipaddr.isValid(text)) return false;
      const address = inner(ipaddr.parse(text));
      if (address.range() === "linkLocal") return false;
      if (networks.some((network) => isWithin(address, network))) return true;
      return isUsual && isPublic(ipaddr.parse(text));
    },
  };
}

/** The IPv4 address that an IPv6 one carries, or the address itself. */
function inner(address: Address): Address {
  if (!(address instanceof ipaddr.IPv6)) return address;
  const range = address.range();
  if (range === "ipv4Mapped" || range === "rfc6052" || range === "rfc6145") return lastFour(address, 12);
  // RFC 3056: the IPv4 address follows the prefix 2002::/16.
  if (range === "6to4") return lastFour(address, 2);
  return address;
}

/** RFC 4291 §2.4 and IANA's registry of IPv6 address space: all of the rest is reserved, or inside some network (::7f00:1 is 127.0.0.1). */
const IPV6_GLOBAL: Network = { address: ipaddr.IPv6.parse("2000::"), bits: 3 };

/** A public address inside of another one (NAT64, 6to4) may be rewritten on the way to where it says. */
function isPublic(address: Address): boolean {
  return address.range() === "unicast" && (address.kind() === "ipv4" || isWithin(address, IPV6_GLOBAL));
}

function lastFour(address: ipaddr.IPv6, from: number): ipaddr.IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(from, from + 4));
}

export type TargetCheck =
  | { readonly kind: "fine"; readonly url: string }
  /** In words that complete "url …". */
  | { readonly kind: "refused"; readonly message: string };

/** Ports of https that receivers use. */
const USUAL_PORTS = ["", "443", "8443"];

export function isUsualTarget(url: URL): boolean {
  return url.protocol === "https:" && USUAL_PORTS.includes(url.port);
}

/**
 * A literal address, or a name of this machine, as WHATWG URLs spell it: decimal, octal and hex notations are dotted by then.
 * @returns null for other names
 */
export function literalOf({ hostname }: URL): string | null {
  const host = hostname.replace(/\.+$/, "");
  if (host === "localhost" || host.endsWith(".localhost")) return "127.0.0.1";
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  return ipaddr.isValid(bare) ? bare : null;
}

/** Whether an endpoint may have this URL. What a name resolves to is judged at each connection. */
export function checkTarget(guard: TargetGuard, text: string): TargetCheck {
  if (!URL.canParse(text)) return refused("must be a URL, e.g. https://example.com/hooks");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return refused("must be https");
  if (url.username !== "" || url.password !== "")
    return refused("must not hold a user or password: deliveries are signed");
  if (url.hash !== "") return refused("must not have a fragment");
  const isUsual = isUsualTarget(url);
  const literal = literalOf(url);
  if (literal !== null && !guard.allows(literal, isUsual)) {
    return refused("must be https on port 443 or 8443 of a public address (or listed in WEBHOOK_ALLOW_CIDRS)");
  }
  if (!isUsual && !guard.hasListed) return refused("must be https on port 443 or 8443");
  return { kind: "fine", url: url.href };
}

function refused(message: string): TargetCheck {
  return { kind: "refused", message };
}
