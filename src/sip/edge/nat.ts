/**
 * Peers behind a NAT name a private address in Contact. Without a route set, what goes to them in the dialog then goes where they were heard
 * from, as in drachtio-server (which takes all of 172/8 for private; only 172.16/12 is).
 */
import { BlockList, isIP } from "node:net";

const PRIVATE = new BlockList();
for (const [address, prefix] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["169.254.0.0", 16],
  ["127.0.0.0", 8],
] as const) {
  PRIVATE.addSubnet(address, prefix, "ipv4");
}
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");

export function isPrivateAddress(host: string): boolean {
  const version = isIP(host);
  return version !== 0 && PRIVATE.check(host, version === 6 ? "ipv6" : "ipv4");
}

/** @param heardFrom the source address of the peer's packets */
export function isBehindNat(contactHost: string, heardFrom: string): boolean {
  return contactHost !== heardFrom && isPrivateAddress(contactHost) && !isPrivateAddress(heardFrom);
}
