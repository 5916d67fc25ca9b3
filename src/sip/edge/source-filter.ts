/**
 * Who may talk to the edge. The transports ask before a packet is parsed: `trusted` sources are inside the trunks' CIDRs; a `peer` is an
 * address the edge itself has a transaction or a dialog with (a business's phone system need not be a trunk), and may answer and use its
 * dialogs but start nothing; everybody else is a stranger and gets no byte back, not even an error.
 */
import { BlockList, isIP } from "node:net";
import { AppError } from "../../kernel/errors.js";
import { parseNetworkOrAddress } from "../../kernel/network.js";
import { SOURCE_VERDICTS } from "./limits.js";

export type SourceVerdict = "trusted" | "peer" | "stranger";

export interface SourceFilter {
  /** Replaces the list. Throws AppError invalid_value naming the entry that is no CIDR and no address; the old list then stays. */
  allow(cidrs: readonly string[]): void;
  verdict(address: string): SourceVerdict;
  /** Makes the address a peer until the returned function is called (once). Holds are counted. */
  hold(address: string): () => void;
}

export function createSourceFilter(): SourceFilter {
  let list = new BlockList();
  const trusted = new Map<string, boolean>();
  /** One release for all holds of an address: each transaction has one, and a closure each would stay as long as it. */
  const held = new Map<string, { count: number; readonly release: () => void }>();

  const isTrusted = (address: string): boolean => {
    const known = trusted.get(address);
    if (known !== undefined) return known;
    // Forgetting everything at once keeps the common case one map look-up; a flood from many addresses only costs list checks.
    if (trusted.size >= SOURCE_VERDICTS) trusted.clear();
    const found = list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
    trusted.set(address, found);
    return found;
  };

  return {
    allow(cidrs) {
      const next = new BlockList();
      for (const cidr of cidrs) addCidr(next, cidr);
      list = next;
      trusted.clear();
    },
    verdict: (address) => (isTrusted(address) ? "trusted" : held.has(address) ? "peer" : "stranger"),
    hold(address) {
      const known = held.get(address);
      if (known !== undefined) {
        known.count += 1;
        return known.release;
      }
      const entry = {
        count: 1,
        release: () => {
          entry.count -= 1;
          if (entry.count === 0) held.delete(address);
        },
      };
      held.set(address, entry);
      return entry.release;
    },
  };
}

/** `::ffff:192.0.2.1`, as dual-stack sockets name IPv4 peers, is the IPv4 address; a zone id is no part of an address. */
export function plainAddress(address: string): string {
  const zone = address.indexOf("%");
  const bare = zone === -1 ? address : address.slice(0, zone);
  return bare.startsWith("::ffff:") && isIP(bare.slice(7)) === 4 ? bare.slice(7) : bare;
}

function addCidr(list: BlockList, cidr: string): void {
  const network = parseNetworkOrAddress(cidr.trim());
  if (network === null) {
    throw new AppError("invalid_value", `${JSON.stringify(cidr)} is no address range: write it like 192.0.2.0/24.`);
  }
  const { address, bits } = network;
  list.addSubnet(address.toString(), bits, address.kind());
}
