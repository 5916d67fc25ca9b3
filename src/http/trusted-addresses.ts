/** Whether an address lies in one of the configured ranges (PRESENT_TRUSTED_CIDRS). */
import { BlockList } from "node:net";
import { AppError } from "../kernel/errors.js";
import { parseNetwork } from "../kernel/network.js";

/** A verdict costs several microseconds, and a page's visitors and load tests come from few addresses. */
const REMEMBERED_MAX = 10_000;

/** @throws AppError("config_invalid") for a range that is none */
export function createTrustedAddresses(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const network = parseNetwork(cidr);
    if (network === null) {
      throw new AppError("config_invalid", `PRESENT_TRUSTED_CIDRS: ${cidr} is no address range such as 10.0.0.0/8.`);
    }
    const { address, bits } = network;
    list.addSubnet(address.toString(), bits, address.kind());
  }
  const remembered = new Map<string, boolean>();
  return (address) => {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const plain = plainAddress(address);
    const isTrusted = list.check(plain, plain.includes(":") ? "ipv6" : "ipv4");
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(address, isTrusted);
    return isTrusted;
  };
}

/** A dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1. */
export function plainAddress(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
