/**
 * Header field names: the compact forms of RFC 3261 §20 (and extensions), one lower-case key per field for look-ups, one spelling for the
 * wire. The parser interns them here, so that comparing a header's key is comparing one short string.
 */

export interface HeaderName {
  /** Lower-case long form, e.g. `call-id`. */
  readonly key: string;
  /** The spelling we send, e.g. `Call-ID`. */
  readonly name: string;
}

const COMPACT_FORMS: Readonly<Record<string, string>> = {
  a: "accept-contact",
  b: "referred-by",
  c: "content-type",
  d: "request-disposition",
  e: "content-encoding",
  f: "from",
  i: "call-id",
  j: "reject-contact",
  k: "supported",
  l: "content-length",
  m: "contact",
  n: "identity-info",
  o: "event",
  r: "refer-to",
  s: "subject",
  t: "to",
  u: "allow-events",
  v: "via",
  x: "session-expires",
  y: "identity",
};

/** Fields whose spelling is not "each part capitalised". */
const IRREGULAR: Readonly<Record<string, string>> = {
  "call-id": "Call-ID",
  cseq: "CSeq",
  "min-se": "Min-SE",
  "mime-version": "MIME-Version",
  rack: "RAck",
  rseq: "RSeq",
  "sip-etag": "SIP-ETag",
  "sip-if-match": "SIP-If-Match",
  "www-authenticate": "WWW-Authenticate",
  "p-charging-vector": "P-Charging-Vector",
};

const COMMON = [
  "Via",
  "From",
  "To",
  "Call-ID",
  "CSeq",
  "Contact",
  "Max-Forwards",
  "Content-Type",
  "Content-Length",
  "User-Agent",
  "Server",
  "Allow",
  "Supported",
  "Require",
  "Route",
  "Record-Route",
  "Session-Expires",
  "P-Asserted-Identity",
  "Remote-Party-ID",
  "Privacy",
  "Diversion",
  "Identity",
  "Date",
  "Expires",
  "Accept",
  "Subject",
  "Reason",
  "Retry-After",
  "Warning",
  "Authorization",
  "Proxy-Authorization",
  "Proxy-Authenticate",
  "Allow-Events",
  "Event",
  "Timestamp",
];

const KNOWN = new Map<string, HeaderName>();
for (const name of [...COMMON, ...Object.values(IRREGULAR)]) {
  const known = { key: name.toLowerCase(), name };
  KNOWN.set(name, known);
  KNOWN.set(known.key, known);
  KNOWN.set(name.toUpperCase(), known);
}
for (const [compact, key] of Object.entries(COMPACT_FORMS)) {
  const known = KNOWN.get(key) ?? { key, name: capitalise(key) };
  KNOWN.set(compact, known);
  KNOWN.set(compact.toUpperCase(), known);
}

/**
 * @param written the name as it stood on the wire or in an app's frame, a valid token
 * An unknown name keeps its spelling unless it is all lower case: then each part is capitalised, as drachtio-server does.
 */
export function headerName(written: string): HeaderName {
  const known = knownHeaderName(written);
  if (known !== null) return known;
  const key = written.toLowerCase();
  return KNOWN.get(key) ?? { key, name: written === key ? capitalise(key) : written };
}

/** A name in one of its usual spellings, which then is a valid token; null for any other. */
export function knownHeaderName(written: string): HeaderName | null {
  return KNOWN.get(written) ?? null;
}

function capitalise(key: string): string {
  return (
    IRREGULAR[key] ?? key.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
  );
}
