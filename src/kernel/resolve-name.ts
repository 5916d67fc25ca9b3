/**
 * The addresses of a name that somebody else chose: a webhook's receiver, a page, a business's phone system. The system's own look-up (getaddrinfo) has
 * two threads for the whole process and is never given up: two names whose servers do not answer kept every other name waiting for 10 s, those of the
 * database and of Redis too. So DNS is asked over sockets of our own, after the hosts file; the system is asked for what only it knows (search domains,
 * mDNS), one name at a time.
 */
import { lookup as systemLookup, type LookupAddress, promises as dns } from "node:dns";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** All addresses of a name. Fakes stand for it in tests. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** Of one question; the second has twice as long. Both are over before an attempt to deliver is (5 s). */
const QUERY_TIMEOUT_MS = 1_500;
const QUERIES_MAX = 2;
/** Names that wait for the system at a time; what comes beyond them is tried again as any failed attempt. */
const SYSTEM_WAITING_MAX = 32;
/** DNS knows no such name, or no address of it, or there is no DNS: the system may know better. */
const UNKNOWN_TO_DNS: readonly unknown[] = ["ENOTFOUND", "ENODATA", "ECONNREFUSED"];

export interface ResolveOptions {
  /** For tests; those of resolv.conf otherwise. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  readonly system?: Resolve;
}

/** One for a thread. IPv4 first. What it throws has a `code`, as errors of node:dns have. */
export function createResolve(options: ResolveOptions = {}): Resolve {
  const { servers, hostsFile = "/etc/hosts", system = askSystem } = options;
  const askSystemInTurn = oneAtATime(system);
  return async (hostname) => {
    const listed = await listedIn(hostsFile, hostname);
    if (listed.length > 0) return ipv4First(listed);
    const said = await askDns(hostname, servers);
    return said.length > 0 ? said : ipv4First(await askSystemInTurn(hostname));
  };
}

async function listedIn(path: string, hostname: string): Promise<LookupAddress[]> {
  const name = hostname.replace(/\.$/, "").toLowerCase();
  // A machine without the file lists nothing.
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/);
    const family = isIP(address);
    return family !== 0 && names.includes(name) ? [{ address, family }] : [];
  });
}

/** A machine without IPv6 is told of such addresses too. */
function ipv4First(addresses: readonly LookupAddress[]): LookupAddress[] {
  return addresses.toSorted((one, other) => one.family - other.family);
}

/** Asked anew each time, so that a changed resolv.conf counts. @returns IPv4 first; none: DNS does not know the name */
async function askDns(hostname: string, servers: readonly string[] | undefined): Promise<LookupAddress[]> {
  const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERIES_MAX });
  if (servers !== undefined) resolver.setServers(servers);
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const addresses = answers.flatMap((answer, i) =>
    answer.status === "fulfilled" ? answer.value.map((address) => ({ address, family: i === 0 ? 4 : 6 })) : [],
  );
  if (addresses.length > 0) return addresses;
  for (const answer of answers) {
    if (answer.status === "rejected" && !UNKNOWN_TO_DNS.includes((answer.reason as NodeJS.ErrnoException).code))
      throw answer.reason;
  }
  return [];
}

function oneAtATime(resolve: Resolve): Resolve {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (hostname) => {
    if (waiting >= SYSTEM_WAITING_MAX)
      throw Object.assign(new Error("too many names wait for the system's look-up"), { code: "EAI_AGAIN" });
    waiting++;
    const turn = last.then(() => resolve(hostname)).finally(() => waiting--);
    last = turn.catch(() => undefined);
    return turn;
  };
}

function askSystem(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });
}
