/**
 * Access tokens of Google's OAuth 2.0 (developers.google.com/identity/protocols/oauth2: /service-account, a signed JWT for a token; /web-server, a refresh
 * token for a token), kept until shortly before they end. In memory only: another process gets its own.
 */
import { createHash, createSign } from "node:crypto";
import type { GoogleCredentials } from "../../../account/outgoing/conversion-settings.js";
import type { Instant } from "../../../kernel/clock.js";
import { exchange, type SendDeps } from "../send.js";
import { jsonIn } from "./network-answer.js";

const SCOPE = "https://www.googleapis.com/auth/datamanager";
/** Google's tokens live an hour, and so does what asks for them. */
const TOKEN_S_MAX = 3_600;
/** Not used in its last minute: it would end on the way. */
const SPARE_S = 60;
/** Endpoints with a token at a time; beyond it all are got anew. */
const TOKENS_MAX = 1_000;

export type TokenOutcome =
  | { readonly kind: "token"; readonly token: string }
  /** `error`: a word for the log of deliveries. */
  | { readonly kind: "none"; readonly error: string; readonly ms: number };

export interface TokenSource {
  tokenFor(credentials: GoogleCredentials): Promise<TokenOutcome>;
  /** It was not accepted: the next one is got anew. */
  forget(credentials: GoogleCredentials): void;
}

/** @param url GOOGLE_OAUTH_URL */
export function createTokenSource(deps: SendDeps, url: string): TokenSource {
  const { clock } = deps;
  const tokens = new Map<string, { readonly token: string; readonly until: Instant }>();
  const asked = new Map<string, Promise<TokenOutcome>>();
  const ask = async (key: string, credentials: GoogleCredentials): Promise<TokenOutcome> => {
    const tokenUrl = `${url}/token`;
    const body = grantOf(credentials, { audience: tokenUrl, now: clock.now() }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await exchange(deps, { url: tokenUrl, headers, body });
    if (answer.kind === "unanswered") return { kind: "none", error: answer.error, ms: answer.ms };
    const said = jsonIn(answer.text);
    const token = said?.["access_token"];
    if (answer.status !== 200 || typeof token !== "string") return refused(answer);
    const lifeS = Math.min(Number(said?.["expires_in"] ?? 0) || 0, TOKEN_S_MAX) - SPARE_S;
    if (tokens.size >= TOKENS_MAX) tokens.clear();
    if (lifeS > 0) tokens.set(key, { token, until: clock.now() + lifeS * 1000 });
    return { kind: "token", token };
  };
  return {
    tokenFor: (credentials) => {
      const key = keyOf(credentials);
      const known = tokens.get(key);
      if (known !== undefined && known.until > clock.now())
        return Promise.resolve({ kind: "token", token: known.token });
      // Several deliveries begin at once; one asks.
      const asking = asked.get(key) ?? ask(key, credentials).finally(() => asked.delete(key));
      asked.set(key, asking);
      return asking;
    },
    forget: (credentials) => void tokens.delete(keyOf(credentials)),
  };
}

function refused({ status, ms }: { status: number; ms: number }): TokenOutcome {
  const error = status === 429 || status >= 500 ? "token_unavailable" : "token_refused";
  return { kind: "none", error, ms };
}

/** Secrets are not keys of a map that a dump of memory would show twice. */
function keyOf(credentials: GoogleCredentials): string {
  return createHash("sha256").update(JSON.stringify(credentials)).digest("hex");
}

function grantOf(credentials: GoogleCredentials, at: { audience: string; now: Instant }): URLSearchParams {
  if (credentials.type === "refresh_token") {
    const { client_id, client_secret, refresh_token } = credentials;
    return new URLSearchParams({ grant_type: "refresh_token", client_id, client_secret, refresh_token });
  }
  const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  return new URLSearchParams({ grant_type, assertion: assertionOf(credentials, at) });
}

/** RFC 7523 §3, signed with RS256 as Google wants it. */
function assertionOf(
  { client_email: iss, private_key: key }: Extract<GoogleCredentials, { type: "service_account" }>,
  { audience: aud, now }: { audience: string; now: Instant },
): string {
  const iat = Math.floor(now / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iss, scope: SCOPE, aud, iat, exp: iat + TOKEN_S_MAX })}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key).toString("base64url")}`;
}
