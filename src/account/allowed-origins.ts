/**
 * Whose pages may ask for an account's numbers: origins as browsers write them (RFC 6454 §6.2: scheme, host, and the port unless it is the scheme's own),
 * or all hosts below one. Browsers alone keep to it, so it keeps an account's numbers off other sites' pages, not away from programs. Pure.
 */

/** A business with more sites than this lists them below `*.`; each page view compares them all. */
export const ALLOWED_ORIGINS_MAX = 100;
/** A host name has 253 characters at most (RFC 1035 §2.3.4). */
export const ORIGIN_CHARS_MAX = 300;

const WILDCARD = /^(https?:\/\/)\*\.(.+)$/i;

/**
 * @returns `https://www.example.com`, `http://localhost:3000`, `https://*.example.com`: lower case, punycode, without the scheme's own port;
 * null for anything else, also for a wildcard over a whole top-level domain or an address
 */
export function normalizeOrigin(text: string): string | null {
  const [, scheme, rest] = WILDCARD.exec(text.trim()) ?? [];
  if (scheme === undefined || rest === undefined) return originOf(text.trim());
  const below = originOf(scheme + rest);
  if (below === null) return null;
  const { hostname, protocol, host } = new URL(below);
  const isAddress = /^[\d.]+$|^\[/.test(hostname);
  return isAddress || !hostname.includes(".") ? null : `${protocol}//*.${host}`;
}

/** @param origin the header; "null" (a sandboxed frame, a file) is never listed. @param allowed as normalizeOrigin wrote them; empty: any */
export function isOriginAllowed(origin: string, allowed: readonly string[]): boolean {
  if (allowed.length === 0) return true;
  const asked = origin.toLowerCase();
  return allowed.some((one) => {
    const star = one.indexOf("*");
    if (star < 0) return one === asked;
    // The dot before the host stands behind the star, so that notexample.com is not below example.com.
    const below = one.slice(star + 1);
    return asked.length > star + below.length && asked.startsWith(one.slice(0, star)) && asked.endsWith(below);
  });
}

function originOf(text: string): string | null {
  // A slash at the end is what people copy; a path would be a mistake that silently allows nothing.
  if (!/^https?:\/\/[^/?#@\\\s*]+\/?$/i.test(text)) return null;
  try {
    return new URL(text).origin;
  } catch (error) {
    void error;
    return null;
  }
}
