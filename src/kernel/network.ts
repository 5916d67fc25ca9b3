/** Address ranges as people write them in settings (RFC 4632 §3.1, RFC 4291 §2.3). Pure. */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Network {
  readonly address: Address;
  /** Length of the prefix. */
  readonly bits: number;
}

/** What stands before the IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Strict where ipaddr.js is not, which reads 10/8 as 0.0.0.10/8 and 010.0.0.0/8 as 8.0.0.0/8: a range that nobody meant. One of IPv4-mapped addresses is
 * that of the IPv4 addresses in them, as which their packets come.
 * @returns null when it is none
 */
export function parseNetwork(text: string): Network | null {
  const [host = "", prefix = "", ...more] = text.split("/");
  if (isIP(host) === 0 || host.includes("%") || !/^\d{1,3}$/.test(prefix) || more.length > 0) return null;
  const address = ipaddr.parse(host);
  const bits = Number(prefix);
  if (bits > address.toByteArray().length * 8) return null;
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS
    ? { address: address.toIPv4Address(), bits: bits - MAPPED_BITS }
    : { address, bits };
}

/** A network, or an address alone for a network of one. */
export function parseNetworkOrAddress(text: string): Network | null {
  return parseNetwork(text.includes("/") ? text : `${text}/${isIP(text) === 6 ? 128 : 32}`);
}

/** An IPv4-mapped address is in no IPv4 network: whoever may get one takes the IPv4 address out of it first (`ipaddr.process`). */
export function isWithin(address: Address, network: Network): boolean {
  return address.kind() === network.address.kind() && address.match(network.address, network.bits);
}
