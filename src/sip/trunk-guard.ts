/** Which trunk a source address belongs to. The most specific network wins; an address of no trunk is nobody's. */
import ipaddr from "ipaddr.js";
import type { Trunk } from "../account/trunks.store.js";

interface Network {
  readonly trunk: Trunk;
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;
  readonly bits: number;
}

export class TrunkGuard {
  private networks: readonly Network[] = [];

  /** Replaces all trunks; entries that are no network are left out (they were refused when stored). */
  setTrunks(trunks: readonly Trunk[]): void {
    this.networks = trunks
      .flatMap((trunk) => trunk.sourceCidrs.flatMap((cidr) => networkOf(trunk, cidr)))
      .sort((a, b) => b.bits - a.bits);
  }

  /** For the edge, which drops everybody else before reading a byte. */
  get cidrs(): readonly string[] {
    return this.networks.map((network) => `${network.address.toString()}/${network.bits}`);
  }

  find(sourceAddress: string): Trunk | null {
    if (!ipaddr.isValid(sourceAddress)) return null;
    const source = ipaddr.process(sourceAddress);
    const network = this.networks.find(
      ({ address, bits }) => address.kind() === source.kind() && source.match(address as never, bits),
    );
    return network?.trunk ?? null;
  }
}

/** Who asked for TLS does not want calls over anything less; a UDP or TCP trunk is served over all of them. */
export function acceptsTransport(trunk: Trunk, protocol: string): boolean {
  return trunk.transport !== "tls" || protocol.toLowerCase() === "tls";
}

function networkOf(trunk: Trunk, cidr: string): Network[] {
  const text = cidr.includes("/") ? cidr : `${cidr}/${cidr.includes(":") ? 128 : 32}`;
  if (!ipaddr.isValidCIDR(text)) return [];
  const [address, bits] = ipaddr.parseCIDR(text);
  return [{ trunk, address, bits }];
}
