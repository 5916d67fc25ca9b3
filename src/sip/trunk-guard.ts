/** Which trunk a source address belongs to. The most specific network wins; an address of no trunk is nobody's. */
import ipaddr from "ipaddr.js";
import type { Trunk } from "../account/trunks.store.js";
import { isWithin, type Network, parseNetworkOrAddress } from "../kernel/network.js";

interface TrunkNetwork extends Network {
  readonly trunk: Trunk;
}

export class TrunkGuard {
  private networks: readonly TrunkNetwork[] = [];

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
    return this.networks.find((network) => isWithin(source, network))?.trunk ?? null;
  }
}

/** Who asked for TLS does not want calls over anything less; a UDP or TCP trunk is served over all of them. */
export function acceptsTransport(trunk: Trunk, protocol: string): boolean {
  return trunk.transport !== "tls" || protocol.toLowerCase() === "tls";
}

function networkOf(trunk: Trunk, cidr: string): TrunkNetwork[] {
  const network = parseNetworkOrAddress(cidr);
  return network === null ? [] : [{ trunk, ...network }];
}
