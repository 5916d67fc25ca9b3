/**
 * Which of our addresses a peer sees, when the edge listens on a wildcard. The kernel knows: a UDP socket that is connected to the peer (no
 * packet is sent) has the address of the route. Asked once per peer and minute; what waits for an answer keeps its order.
 */
import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Clock } from "../../kernel/clock.js";
import { LOCAL_ADDRESS_ENTRIES, LOCAL_ADDRESS_MS } from "./limits.js";
import { plainAddress } from "./source-filter.js";

export interface LocalAddresses {
  /** `done` is called at once when the answer is known, else later; calls for one peer are answered in order. */
  find(peer: string, done: (host: string) => void): void;
}

export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

export function createLocalAddresses(boundHost: string, clock: Clock): LocalAddresses {
  if (!isWildcard(boundHost)) return { find: (_peer, done) => done(boundHost) };
  const known = new Map<string, { readonly host: string; readonly until: number }>();
  const waiting = new Map<string, ((host: string) => void)[]>();

  return {
    find(peer, done) {
      const entry = known.get(peer);
      if (entry !== undefined && entry.until > clock.monotonicMs()) return done(entry.host);
      const queue = waiting.get(peer);
      if (queue !== undefined) {
        queue.push(done);
        return;
      }
      const callers = [done];
      waiting.set(peer, callers);
      askKernel(peer, (host) => {
        if (known.size >= LOCAL_ADDRESS_ENTRIES) known.clear();
        known.set(peer, { host, until: clock.monotonicMs() + LOCAL_ADDRESS_MS });
        waiting.delete(peer);
        for (const caller of callers) caller(host);
      });
    },
  };
}

/** All addresses of this machine, for recognising a request that would come back to us. */
export function ownAddresses(): Set<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(addresses.map((one) => plainAddress(one.address)));
}

/** The address to show where no peer is known: the first that is not loopback. */
export function mainAddress(boundHost: string): string {
  if (!isWildcard(boundHost)) return boundHost;
  const family = boundHost === "::" ? "IPv6" : "IPv4";
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.find((one) => !one.internal && one.family === family);
  return outside?.address ?? (family === "IPv6" ? "::1" : "127.0.0.1");
}

const DISCARD_PORT = 9;

function askKernel(peer: string, done: (host: string) => void): void {
  const socket = createSocket(isIP(peer) === 6 ? "udp6" : "udp4");
  const finish = (host: string): void => {
    socket.close();
    done(host);
  };
  socket.once("error", () => finish(mainAddress(isIP(peer) === 6 ? "::" : "0.0.0.0")));
  socket.connect(DISCARD_PORT, peer, () => finish(plainAddress(socket.address().address)));
}
