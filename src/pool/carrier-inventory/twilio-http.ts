/**
 * How the twilio package reaches Twilio for us: at the configured address, with each token of the credential in turn, within a time limit, and with every
 * failure turned into a CarrierFault that says whether the request may have been carried out. twilio.com/docs/usage/twilios-response
 */
import RequestClient from "twilio/lib/base/RequestClient.js";
import type { default as TwilioResponse } from "twilio/lib/http/response.js";
import { messageOf } from "../../kernel/errors.js";
import { CarrierFault } from "./carrier-fault.js";

/** Twilio buys a number within one or two seconds; who waits longer than this finds out by looking. */
export const TWILIO_TIMEOUT_MS = 10_000;

export interface TwilioAccess {
  readonly accountSid: string;
  /** Two while one is being replaced. */
  readonly tokens: readonly string[];
}

export interface TwilioPlace {
  /** TWILIO_API_URL, or Twilio itself. */
  readonly apiUrl: string;
  readonly timeoutMs?: number;
  /** To read Retry-After when it is a date. */
  readonly now: () => number;
}

/** A refusal with Twilio's own code, for the adapter to understand: 21422 is a number that is taken, everything else a fault. */
export class TwilioRefusal extends CarrierFault {
  constructor(
    readonly status: number,
    readonly code: number | null,
    message: string,
  ) {
    super("refused", message);
  }
}

export class TwilioHttp extends RequestClient {
  constructor(
    private readonly access: TwilioAccess,
    private readonly place: TwilioPlace,
  ) {
    super({ timeout: place.timeoutMs ?? TWILIO_TIMEOUT_MS });
  }

  /** @throws CarrierFault alone */
  override async request<T>(opts: RequestClient.RequestOptions<T>): Promise<TwilioResponse.default<T>> {
    for (const [index, token] of this.access.tokens.entries()) {
      const response = await this.send(opts, token);
      const { statusCode } = response;
      if (statusCode >= 200 && statusCode < 300) return response;
      // Nothing was done; the other token may be the valid one.
      if (statusCode === 401 && index < this.access.tokens.length - 1) continue;
      throw faultOf(response, this.place.now());
    }
    throw new CarrierFault("credentials", "The Twilio credential has no token.");
  }

  private async send<T>(opts: RequestClient.RequestOptions<T>, token: string): Promise<TwilioResponse.default<T>> {
    const username = this.access.accountSid;
    const timeout = this.place.timeoutMs ?? TWILIO_TIMEOUT_MS;
    try {
      return await super.request<T>({ ...opts, uri: this.rebased(opts.uri), username, password: token, timeout });
    } catch (error) {
      throw networkFault(error);
    }
  }

  /** Twilio's own address stands in the package; only path and query are taken from there, also of next pages. */
  private rebased(uri: string): string {
    const { pathname, search } = new URL(uri);
    return this.place.apiUrl.replace(/\/+$/, "") + pathname + search;
  }
}

interface Answer {
  readonly statusCode: number;
  readonly body: unknown;
  readonly headers?: unknown;
}

function faultOf(answer: Answer, now: number): CarrierFault {
  const { statusCode: status } = answer;
  const { code, message } = errorIn(answer.body);
  const text = `Twilio answered ${status}${code === null ? "" : ` (${code})`}: ${message}`;
  if (status === 401) return new CarrierFault("credentials", text);
  // A request that gets 429 is never processed (twilio.com/docs/api/errors/20429).
  if (status === 429)
    return new CarrierFault("rate_limited", text, { retryAfterMs: retryAfterOf(answer.headers, now) });
  if (status === 503)
    return new CarrierFault("unknown_outcome", text, { retryAfterMs: retryAfterOf(answer.headers, now) });
  if (status >= 400 && status < 500) return new TwilioRefusal(status, code, text);
  return new CarrierFault("unknown_outcome", text);
}

const MESSAGE_CHARS_MAX = 300;

/** `{code, message, more_info, status}`; a proxy in between may answer anything. */
function errorIn(body: unknown): { code: number | null; message: string } {
  const fields = (typeof body === "object" && body !== null ? body : {}) as { code?: unknown; message?: unknown };
  const message = typeof fields.message === "string" ? fields.message : "no explanation";
  return {
    code: typeof fields.code === "number" ? fields.code : null,
    // It goes into a column, a log and an answer.
    message: message.replace(/[\u0000-\u001f\ud800-\udfff]+/g, " ").slice(0, MESSAGE_CHARS_MAX),
  };
}

function retryAfterOf(headers: unknown, now: number): number | null {
  const value = (headers as Record<string, unknown> | undefined)?.["retry-after"];
  if (typeof value !== "string") return null;
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isFinite(at) ? Math.max(0, at - now) : null;
}

/** Before a connection stands nothing was sent; after it anything may have arrived. */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

function networkFault(error: unknown): CarrierFault {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const kind = NEVER_SENT.has(code) ? "unreachable" : "unknown_outcome";
  // The error itself holds the request with its password: only its message is kept.
  return new CarrierFault(kind, `Twilio did not answer: ${messageOf(error)}`);
}
