/**
 * Reads one page of somebody's site, for the tester of the browser tag: GET without cookies or keys, at most five redirects, each judged as the first
 * address was, ten seconds and two megabytes for all of it. Whoever asks chooses where we connect to, so connections are those of guarded-agent.ts, and
 * nothing but HTML is handed back. What the site does is an outcome, never an exception.
 */
import { request } from "undici";
import type { GuardedAgent } from "./guarded-agent.js";
import { wordFor } from "./send.js";

/** From the first look-up to the last byte. A page that takes longer keeps no visitor either. */
const FETCH_TIMEOUT_MS = 10_000;
/** The longest real pages have one megabyte of HTML; what is built by scripts is not in it anyway. */
const PAGE_BYTES_MAX = 2_097_152;
/** http → https → www → a language → a path; browsers give up after twenty. */
const REDIRECTS_MAX = 5;

const HEADERS = {
  accept: "text/html,application/xhtml+xml",
  "user-agent": "Mozilla/5.0 (compatible; Ringmatch-Page-Tester)",
};
const HTML_TYPES = ["text/html", "application/xhtml+xml"];

/** Ports that public sites use, beside those of a name without one. */
const HTTP_PORTS = ["", "8080"];
const HTTPS_PORTS = ["", "8443"];

export type FetchedPage =
  | {
      readonly kind: "fetched";
      /** After redirects. */
      readonly url: string;
      readonly status: number;
      readonly html: string;
      /** Several headers are joined by commas, as policies may be (RFC 9110 §5.3). */
      readonly contentSecurityPolicy: string | null;
    }
  | { readonly kind: "refused"; readonly message: string };

export interface FetchPageDeps {
  readonly agent: GuardedAgent;
  /** For tests; FETCH_TIMEOUT_MS otherwise. */
  readonly timeoutMs?: number;
}

/** A page's URL may be http as well, which a delivery's may not. */
export function isUsualPage(url: URL): boolean {
  return url.protocol === "https:" ? HTTPS_PORTS.includes(url.port) : HTTP_PORTS.includes(url.port);
}

export async function fetchPage(deps: FetchPageDeps, input: { readonly url: string }): Promise<FetchedPage> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), deps.timeoutMs ?? FETCH_TIMEOUT_MS);
  try {
    return await follow(deps.agent, input.url, timeout.signal);
  } catch (error) {
    return refused(timeout.signal.aborted ? "did not answer in time" : sentenceFor(error));
  } finally {
    clearTimeout(timer);
  }
}

async function follow(agent: GuardedAgent, asked: string, signal: AbortSignal): Promise<FetchedPage> {
  let text = asked;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const url = pageUrl(text);
    if (url === null) return refused("must be http or https without user and password, wherever it redirects to");
    const answer = await request(url, {
      method: "GET",
      headers: HEADERS,
      dispatcher: agent.dispatcherFor(url),
      signal,
    });
    const location = one(answer.headers["location"]);
    if (answer.statusCode < 300 || answer.statusCode > 399 || location === null) return read(answer, url);
    answer.body.on("error", () => undefined).destroy();
    if (!URL.canParse(location, url.href)) return refused("redirects to what is no URL");
    text = new URL(location, url).href;
  }
  return refused(`redirects more than ${REDIRECTS_MAX} times`);
}

function pageUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const isPage = (url.protocol === "https:" || url.protocol === "http:") && url.username === "" && url.password === "";
  return isPage ? url : null;
}

type PageAnswer = Awaited<ReturnType<typeof request>>;

async function read(answer: PageAnswer, url: URL): Promise<FetchedPage> {
  const type = one(answer.headers["content-type"]) ?? "";
  if (!HTML_TYPES.includes((type.split(";", 1)[0] ?? "").trim().toLowerCase())) {
    answer.body.on("error", () => undefined).destroy();
    return refused("is no HTML");
  }
  const bytes = await bodyOf(answer.body);
  if (bytes === null) return refused(`is longer than ${PAGE_BYTES_MAX} bytes`);
  const policy = answer.headers["content-security-policy"];
  return {
    kind: "fetched",
    url: url.href,
    status: answer.statusCode,
    html: decoded(bytes, type),
    contentSecurityPolicy: policy === undefined ? null : [policy].flat().join(", "),
  };
}

/** @returns null: too long */
async function bodyOf(body: PageAnswer["body"]): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > PAGE_BYTES_MAX) return null;
  }
  return Buffer.concat(chunks);
}

/** By the header's charset, else by the page's own, else UTF-8; digits are the same in all that browsers still know. */
function decoded(bytes: Buffer, type: string): string {
  const beginning = bytes.subarray(0, 1_024).toString("latin1");
  const label = /charset\s*=\s*["']?([\w.:-]+)/i;
  const charset = label.exec(type)?.[1] ?? /<meta[^>]+charset\s*=\s*["']?([\w.:-]+)/i.exec(beginning)?.[1] ?? "utf-8";
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch (error) {
    // A charset that nobody knows.
    void error;
    return bytes.toString("utf8");
  }
}

function one(header: string | string[] | undefined): string | null {
  return typeof header === "string" ? header : (header?.[0] ?? null);
}

function refused(message: string): FetchedPage {
  return { kind: "refused", message };
}

const SENTENCES: Readonly<Record<string, string>> = {
  forbidden_address:
    "leads, itself or by a redirect, to an address that is not fetched from: not a public one, or an unusual port",
  name_not_found: "has a name that does not resolve",
  connection_refused: "refuses connections",
  connection_closed: "closed the connection",
  timeout: "did not answer in time",
  certificate_or_tls: "has a certificate or TLS that is not accepted",
  no_http_answer: "does not answer in HTTP",
};

function sentenceFor(error: unknown): string {
  return SENTENCES[wordFor(error)] ?? "cannot be reached";
}
