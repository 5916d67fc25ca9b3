/** Whether a page's content security policies (CSP Level 3) let the tag load and ask. All of a page's policies must agree. Pure. */

export interface Asked {
  /** Null: the address of the page is not known, so that 'self' means somewhere else. */
  readonly pageOrigin: string | null;
  readonly serviceOrigin: string;
  /** Of the snippet's script element. */
  readonly nonce: string | null;
}

/** The directive that stands against it; null: none does. */
export interface Blocked {
  readonly script: string | null;
  readonly connect: string | null;
}

/** @param policies each as a header or a meta element has it; several may stand in one, separated by commas */
export function blockedBy(policies: readonly string[], asked: Asked): Blocked {
  const parsed = policies.flatMap((one) => one.split(",")).map(directivesOf);
  const first = (names: readonly string[], allows: (sources: readonly string[]) => boolean): string | null => {
    for (const policy of parsed) {
      const name = names.find((one) => policy.has(one));
      if (name !== undefined && !allows(policy.get(name) ?? []))
        return `${name} ${(policy.get(name) ?? []).join(" ")}`.trim();
    }
    return null;
  };
  return {
    script: first(["script-src-elem", "script-src", "default-src"], (sources) => allowsScript(sources, asked)),
    connect: first(["connect-src", "default-src"], (sources) => sources.some((one) => matches(one, asked))),
  };
}

/** The first of several directives of one name counts. */
function directivesOf(policy: string): ReadonlyMap<string, readonly string[]> {
  const directives = new Map<string, readonly string[]>();
  for (const directive of policy.split(";")) {
    const [name = "", ...sources] = directive.trim().split(/\s+/);
    if (name !== "" && !directives.has(name.toLowerCase())) directives.set(name.toLowerCase(), sources);
  }
  return directives;
}

/** With 'strict-dynamic' addresses count for nothing. */
function allowsScript(sources: readonly string[], asked: Asked): boolean {
  if (asked.nonce !== null && sources.includes(`'nonce-${asked.nonce}'`)) return true;
  return !sources.includes("'strict-dynamic'") && sources.some((one) => matches(one, asked));
}

function matches(source: string, { pageOrigin, serviceOrigin }: Asked): boolean {
  const service = new URL(serviceOrigin);
  if (source === "*") return true;
  if (source.toLowerCase() === "'self'") return pageOrigin === serviceOrigin;
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return covers(source.toLowerCase(), service.protocol);
  const parts = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*|(?:\*\.)?[^:/*]+)(?::(\d+|\*))?(?:\/.*)?$/i.exec(source);
  if (parts === null) return false;
  const [, scheme, host = "", port] = parts;
  if (scheme !== undefined && !covers(`${scheme.toLowerCase()}:`, service.protocol)) return false;
  if (scheme === undefined && pageOrigin?.startsWith("https:") === true && service.protocol !== "https:") return false;
  return hostMatches(host.toLowerCase(), service.hostname) && portMatches(port, service);
}

/** http: lets https: through as well. */
function covers(allowed: string, actual: string): boolean {
  return allowed === actual || (allowed === "http:" && actual === "https:");
}

function hostMatches(allowed: string, actual: string): boolean {
  if (allowed === "*") return true;
  return allowed.startsWith("*.") ? actual.endsWith(allowed.slice(1)) : allowed === actual;
}

/** No port: the scheme's own. */
function portMatches(allowed: string | undefined, service: URL): boolean {
  if (allowed === undefined) return service.port === "";
  return allowed === "*" || allowed === (service.port || (service.protocol === "https:" ? "443" : "80"));
}
