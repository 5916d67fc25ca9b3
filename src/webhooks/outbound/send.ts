/**
 * One POST to a receiver: no redirects, five seconds for all of it, and no more of the answer read than is worth keeping. What the receiver or the network
 * does is an outcome, never an exception. Used by the kinds of endpoints.
 */
import { request } from "undici";
import type { Clock, Instant } from "../../kernel/clock.js";
import { maskDigits } from "../../kernel/log.js";
import { ForbiddenTarget, type GuardedAgent } from "./guarded-agent.js";
import type { SentOutcome } from "./retry-rules.js";

/** From the look-up of the name to the end of the answer. */
export const SEND_TIMEOUT_MS = 5_000;
/** A receiver says yes or no; who sends more is cut off. */
export const RESPONSE_BYTES_MAX = 65_536;
/** Kept in the log of deliveries. */
export const RESPONSE_CHARS_KEPT = 500;

export interface SendDeps {
  readonly agent: GuardedAgent;
  readonly clock: Clock;
  /** For tests; SEND_TIMEOUT_MS otherwise. */
  readonly timeoutMs?: number;
}

export interface OneRequest {
  readonly url: string;
  readonly method?: "POST" | "GET";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Answer =
  /** `text`: as much of the body as is read, as it came. */
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly ms: number;
      readonly text: string;
      readonly retryAfterS: number | null;
    }
  | { readonly kind: "unanswered"; readonly error: string; readonly ms: number };

export async function sendBody(deps: SendDeps, input: OneRequest): Promise<SentOutcome> {
  return keptOf(await exchange(deps, input));
}

/** The answer as the log of deliveries keeps it. */
export function keptOf(answer: Answer): SentOutcome {
  if (answer.kind === "unanswered") return answer;
  const { text, ...rest } = answer;
  return { ...rest, response: storable(maskDigits(text)) };
}

export async function exchange(deps: SendDeps, input: OneRequest): Promise<Answer> {
  const { agent, clock, timeoutMs = SEND_TIMEOUT_MS } = deps;
  const startedMs = clock.monotonicMs();
  const took = (): number => Math.round(clock.monotonicMs() - startedMs);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    const url = new URL(input.url);
    const { headers, body = null, method = "POST" } = input;
    const dispatcher = agent.dispatcherFor(url);
    const answer = await request(url, { method, headers, body, dispatcher, signal: timeout.signal });
    const text = await beginningOf(answer.body);
    const retryAfterS = readRetryAfter(answer.headers["retry-after"], clock.now());
    return { kind: "answered", status: answer.statusCode, ms: took(), text, retryAfterS };
  } catch (error) {
    return { kind: "unanswered", error: timeout.signal.aborted ? "timeout" : wordFor(error), ms: took() };
  } finally {
    clearTimeout(timer);
  }
}

/** The status is the answer: a body that breaks off, never ends or is garbage takes nothing from it. */
async function beginningOf(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= RESPONSE_BYTES_MAX) break;
    }
  } catch (error) {
    // What had come by then is kept.
    void error;
  }
  body.destroy();
  return Buffer.concat(chunks).subarray(0, RESPONSE_BYTES_MAX).toString("utf8");
}

/** PostgreSQL's JSON takes neither NUL nor half a surrogate pair, which a cut may leave. */
function storable(text: string): string {
  return text
    .replaceAll("\u0000", "\uFFFD")
    .slice(0, RESPONSE_CHARS_KEPT)
    .replace(/[\uD800-\uDBFF]$/, "");
}

/** Seconds or a date (RFC 9110 §10.2.3). */
function readRetryAfter(header: string | string[] | undefined, now: Instant): number | null {
  if (typeof header !== "string") return null;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}

/** A word for the log of deliveries: what its owner can look for, nothing of ours. */
export function wordFor(error: unknown): string {
  const causes = [error, (error as { cause?: unknown } | null)?.cause];
  if (causes.some((cause) => cause instanceof ForbiddenTarget)) return "forbidden_address";
  if (causes.some((cause) => (cause as { name?: unknown } | null | undefined)?.name === "HTTPParserError"))
    return "no_http_answer";
  const code = causes
    .map((cause) => (cause as { code?: unknown } | null | undefined)?.code)
    .find((c) => typeof c === "string");
  if (typeof code !== "string") return "failed";
  if (/^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL|EREFUSED|ETIMEOUT|EBADRESP|EBADNAME)/.test(code)) return "name_not_found";
  if (code === "ECONNREFUSED") return "connection_refused";
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") return "timeout";
  if (code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE") return "connection_closed";
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED)/.test(code)) return "certificate_or_tls";
  if (/^(HPE_|UND_ERR_HEADERS)/.test(code)) return "no_http_answer";
  return "unreachable";
}
