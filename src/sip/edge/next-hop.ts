/**
 * Where a request goes (RFC 3263, without NAPTR): an address as it is, a name with a port by A or AAAA, a name alone by SRV and then by A or
 * AAAA at 5060. Literal addresses are answered at once; answers for one name come in the order of the questions, so that an ACK never
 * overtakes, nor a BYE.
 */
import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import type { Clock } from "../../kernel/clock.js";
import { messageOf } from "../../kernel/errors.js";
import type { Random } from "../../kernel/random.js";
import { createResolve } from "../../kernel/resolve-name.js";
import { DNS_CACHE_ENTRIES, DNS_CACHE_MS, DNS_TIMEOUT_MS, MAX_DNS_LOOKUPS } from "./limits.js";
import { type SipUri, uriTransport } from "./sip-uri.js";
import type { TransportKind } from "./transport.js";
import { defaultPort } from "./via.js";

export interface NextHop {
  readonly transport: TransportKind;
  readonly address: string;
  readonly port: number;
  /** TLS only: the host of the URI, for which the certificate there must be valid. */
  readonly name?: string;
}

export type Located =
  | { readonly kind: "found"; readonly hop: NextHop }
  | { readonly kind: "failed"; readonly reason: string };

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** The two questions asked of the name service; both reject when there is no answer. */
export interface NameService {
  srv(name: string): Promise<readonly SrvRecord[]>;
  address(name: string): Promise<string>;
}

export type Locate = (uri: SipUri, done: (located: Located) => void) => void;

const resolve = createResolve();

export const systemNameService: NameService = {
  srv: (name) => new dns.Resolver({ timeout: DNS_TIMEOUT_MS, tries: 1 }).resolveSrv(name),
  address: async (name) => {
    const [first] = await resolve(name);
    if (first === undefined) throw new Error(`${name} has no address`);
    return first.address;
  },
};

export function createLocate(names: NameService, clock: Clock, random: Random): Locate {
  const cache = new Map<string, { readonly place: Place; readonly until: number }>();
  const waiting = new Map<string, ((located: Place | string) => void)[]>();

  const locate = (
    host: string,
    port: number | null,
    transport: TransportKind,
    done: (place: Place | string) => void,
  ): void => {
    const key = `${transport}|${host}|${port ?? ""}`;
    const entry = cache.get(key);
    if (entry !== undefined && entry.until > clock.monotonicMs()) return done(entry.place);
    const queue = waiting.get(key);
    if (queue !== undefined) {
      queue.push(done);
      return;
    }
    if (waiting.size >= MAX_DNS_LOOKUPS) return done("too many name look-ups");
    const callers = [done];
    waiting.set(key, callers);
    const finish = (place: Place | string): void => {
      waiting.delete(key);
      if (typeof place !== "string") {
        if (cache.size >= DNS_CACHE_ENTRIES) cache.clear();
        cache.set(key, { place, until: clock.monotonicMs() + DNS_CACHE_MS });
      }
      for (const caller of callers) caller(place);
    };
    lookUp(names, random, { host, port, transport }).then(finish, (error: unknown) => finish(messageOf(error)));
  };

  return (uri, done) => {
    const transport = transportOf(uri);
    if (transport === null) return done({ kind: "failed", reason: "requested protocol/transport not available" });
    const found = ({ address, port }: Place): void => {
      const hop = transport === "tls" ? { transport, address, port, name: uri.host } : { transport, address, port };
      done({ kind: "found", hop });
    };
    if (isIP(uri.host) !== 0) return found({ address: uri.host, port: uri.port ?? defaultPort(transport) });
    locate(uri.host, uri.port, transport, (place) => {
      if (typeof place === "string") done({ kind: "failed", reason: place });
      else found(place);
    });
  };
}

interface Place {
  readonly address: string;
  readonly port: number;
}

/** sips: is TLS, over what `transport=tcp` still means (RFC 3261 §26.2.2); no transport named means UDP else (RFC 3263 §4.1). */
function transportOf(uri: SipUri): TransportKind | null {
  const named = uriTransport(uri);
  if (uri.scheme === "sips") return named === null || named === "tcp" || named === "tls" ? "tls" : null;
  if (named === null) return "udp";
  return named === "udp" || named === "tcp" || named === "tls" ? named : null;
}

async function lookUp(
  names: NameService,
  random: Random,
  what: { readonly host: string; readonly port: number | null; readonly transport: TransportKind },
): Promise<Place> {
  if (what.port !== null) return { address: await names.address(what.host), port: what.port };
  const service = what.transport === "tls" ? "_sips._tcp" : `_sip._${what.transport}`;
  const records = await names.srv(`${service}.${what.host}`).catch(() => []);
  const chosen = chooseSrv(records, random);
  // Port 0 is no port; the socket would throw.
  if (chosen === null || chosen.port === 0)
    return { address: await names.address(what.host), port: defaultPort(what.transport) };
  return { address: await names.address(chosen.name), port: chosen.port };
}

/** RFC 2782: lowest priority, among those by weight. */
export function chooseSrv(records: readonly SrvRecord[], random: Random): SrvRecord | null {
  const best = Math.min(...records.map((record) => record.priority));
  const candidates = records.filter((record) => record.priority === best);
  const total = candidates.reduce((sum, record) => sum + record.weight, 0);
  let left = total === 0 ? 0 : random.bytes(4).readUInt32BE() % (total + 1);
  for (const record of candidates) {
    left -= record.weight;
    if (left <= 0) return record;
  }
  return candidates[0] ?? null;
}
