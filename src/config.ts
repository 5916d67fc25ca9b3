/**
 * The only reader of the environment. Every variable has a default that works for a single machine, or a failure at start with the sentence that fixes
 * it. An empty variable counts as unset; secrets may come from a file (`NAME_FILE`).
 */
import { readFileSync } from "node:fs";
import { type HostPort, type Role, ROLES, type SipAddress, variables } from "./config-fields.js";
import { AppError, type FieldError, messageOf } from "./kernel/errors.js";
import { LOG_LEVELS, type LogLevel } from "./kernel/log.js";
import type { DrachtioAddress } from "./sip/drachtio-url.js";

export interface Config {
  readonly httpListen: HostPort;
  readonly publicBaseUrl: string | null;
  /** Where the files of `ringmatch fallback export` are served; null: carriers ask the service itself. */
  readonly fallbackBaseUrl: string | null;
  /** Null: the service starts its own. */
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  /** Empty: the service starts its own SIP edge. */
  readonly drachtioServers: readonly DrachtioAddress[];
  readonly sipListen: readonly SipAddress[];
  /** PEM texts, and the files that they were read from; never null when sipListen has a tls address. */
  readonly sipTls: {
    readonly cert: string;
    readonly key: string;
    readonly certFile: string;
    readonly keyFile: string;
  } | null;
  /** Calls that are up when the service is told to stop get this long to end by themselves. */
  readonly drainMs: number;
  readonly dataDir: string;
  readonly adminApiKey: string | null;
  readonly logLevel: LogLevel;
  readonly roles: readonly Role[];
  readonly secretsKey: string | null;
  readonly interceptUri: string | null;
  readonly presentTrustedCidrs: readonly string[];
  /** Private targets that outgoing webhooks may go to, over http and to any port. */
  readonly webhookAllowCidrs: readonly string[];
  /** Twilio's REST API; another address for tests and proxies. Never taken from a request. */
  readonly twilioApiUrl: string;
  /** Telnyx's API, where its Call Control is commanded; another address for tests and proxies. Never taken from a request. */
  readonly telnyxApiUrl: string;
  /** Where conversions are told; other addresses for tests and proxies. Never taken from a request. No slash at the end. */
  readonly networkUrls: {
    readonly ga4: string;
    /** The Data Manager API. */
    readonly googleAds: string;
    readonly googleOauth: string;
    readonly meta: string;
  };
  /** What numbers are bought from when nobody says; null: Twilio, and the simulated carrier only on one machine and by name. */
  readonly numberCarrier: "twilio" | "simulated" | null;
  /** No DATABASE_URL: everything on this machine, for trying out, development and small sites. */
  readonly isEmbedded: boolean;
  /** To find the servers of the system's packages. */
  readonly searchPath: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What each variable means, for `ringmatch config check`. */
export const VARIABLES: Readonly<Record<string, string>> = {
  HTTP_LISTEN:
    "host:port of the HTTP API; port 0 = any free one. Default 127.0.0.1:8080 embedded, 0.0.0.0:8080 otherwise",
  PUBLIC_BASE_URL: "https://… as carriers and browsers see the service; carriers sign this URL",
  FALLBACK_BASE_URL:
    "https://… of the files that `ringmatch fallback export` writes, on another host: set at carriers as what numbers answer while the service does not. Unset: the service gives them itself",
  DATABASE_URL: "postgres://…; unset: an own PostgreSQL in the data directory",
  REDIS_URL:
    "redis://… or rediss://…, several separated by commas for a cluster; unset: an own Redis in the data directory",
  DRACHTIO_URL: "drachtio://:SECRET@host:9022, several separated by commas; unset: the embedded SIP edge",
  SIP_LISTEN: "udp/, tcp/ and tls/host:port of the embedded SIP edge. Default udp/127.0.0.1:5060,tcp/127.0.0.1:5060",
  SIP_TLS_CERT_FILE:
    "PEM file with the certificate of the tls/ addresses, then those that lead to its root; read again when it changes",
  SIP_TLS_KEY_FILE: "PEM file with its private key, not encrypted",
  DRAIN_S:
    "how many seconds calls that are up may go on when the service is told to stop; new ones are refused meanwhile, so that carriers try another node. Default 10",
  RINGMATCH_DATA_DIR: "where the service keeps its files. Default .ringmatch",
  ADMIN_API_KEY:
    "the first admin key, 24 or more printable characters, sent as UTF-8; unset in embedded mode: made and shown once",
  LOG_LEVEL: `one of ${LOG_LEVELS.join(", ")}. Default info`,
  ROLES: `all, or a list of ${ROLES.join(",")}. Default all`,
  SECRETS_KEY:
    "encrypts callers' numbers and carriers' credentials, 16 or more characters and no comma (a comma separates keys, newest first); made in embedded mode, required otherwise",
  INTERCEPT_URI: "sip:… of an announcement for calls to quarantined numbers; unset: 404",
  PRESENT_TRUSTED_CIDRS: "networks exempt from bot rules and address limits. Embedded default 127.0.0.0/8,::1/128",
  WEBHOOK_ALLOW_CIDRS:
    "networks that outgoing webhooks may go to though they are private, over http and to any port, e.g. 10.1.2.0/24; link-local addresses stay forbidden. Unset: public addresses over https on 443 or 8443 only",
  TWILIO_API_URL: "https://… of Twilio's REST API, for a proxy or tests. Default https://api.twilio.com",
  TELNYX_API_URL: "https://… of Telnyx's API, for a proxy or tests. Default https://api.telnyx.com",
  GA4_URL:
    "https://… of Google Analytics' Measurement Protocol, for a proxy or tests. Default https://www.google-analytics.com",
  GOOGLE_ADS_URL:
    "https://… of Google's Data Manager API, for a proxy or tests. Default https://datamanager.googleapis.com",
  GOOGLE_OAUTH_URL: "https://… of Google's OAuth tokens, for a proxy or tests. Default https://oauth2.googleapis.com",
  META_URL: "https://… of Meta's Graph API, for a proxy or tests. Default https://graph.facebook.com",
  NUMBER_CARRIER:
    "twilio or simulated: what numbers are bought from when an order names no carrier. simulated numbers ring nowhere but here. Default twilio",
};

export const SECRET_VARIABLES = ["DATABASE_URL", "REDIS_URL", "DRACHTIO_URL", "ADMIN_API_KEY", "SECRETS_KEY"] as const;

export function loadConfig(environment: Environment = process.env): Config {
  const { values, errors } = readVariables(environment);
  const parsed = variables.safeParse(values);
  if (!parsed.success)
    errors.push(...parsed.error.issues.map(({ path, message }) => ({ path: String(path[0]), message })));
  if (errors.length > 0 || !parsed.success) throw refused(errors);
  const v = parsed.data;
  const isEmbedded = v.DATABASE_URL === undefined;
  const sipTls = readSipTls(v);
  if (!isEmbedded && v.SECRETS_KEY === undefined) {
    throw refused([
      {
        path: "SECRETS_KEY",
        message: "is required with DATABASE_URL, e.g. from `openssl rand -hex 32`; keep it, it cannot be replaced",
      },
    ]);
  }
  return {
    httpListen: v.HTTP_LISTEN ?? { host: isEmbedded ? "127.0.0.1" : "0.0.0.0", port: 8080 },
    publicBaseUrl: v.PUBLIC_BASE_URL ?? null,
    fallbackBaseUrl: v.FALLBACK_BASE_URL ?? null,
    databaseUrl: v.DATABASE_URL ?? null,
    redisUrl: v.REDIS_URL ?? null,
    drachtioServers: v.DRACHTIO_URL ?? [],
    sipListen: v.SIP_LISTEN,
    sipTls,
    drainMs: v.DRAIN_S * 1000,
    dataDir: v.RINGMATCH_DATA_DIR,
    adminApiKey: v.ADMIN_API_KEY ?? null,
    logLevel: v.LOG_LEVEL,
    roles: v.ROLES,
    secretsKey: v.SECRETS_KEY ?? null,
    interceptUri: v.INTERCEPT_URI ?? null,
    presentTrustedCidrs: v.PRESENT_TRUSTED_CIDRS ?? (isEmbedded ? ["127.0.0.0/8", "::1/128"] : []),
    webhookAllowCidrs: v.WEBHOOK_ALLOW_CIDRS ?? [],
    twilioApiUrl: v.TWILIO_API_URL,
    telnyxApiUrl: v.TELNYX_API_URL,
    networkUrls: {
      ga4: v.GA4_URL,
      googleAds: v.GOOGLE_ADS_URL,
      googleOauth: v.GOOGLE_OAUTH_URL,
      meta: v.META_URL,
    },
    numberCarrier: v.NUMBER_CARRIER ?? null,
    isEmbedded,
    searchPath: environment["PATH"] ?? "",
  };
}

function readVariables(environment: Environment): { values: Record<string, string>; errors: FieldError[] } {
  const values: Record<string, string> = {};
  const errors: FieldError[] = [];
  for (const name of Object.keys(VARIABLES)) {
    const value = environment[name];
    if (value !== undefined && value.trim() !== "") values[name] = value.trim();
  }
  for (const name of SECRET_VARIABLES) {
    const file = environment[`${name}_FILE`];
    if (file === undefined || file === "") continue;
    if (values[name] !== undefined)
      errors.push({ path: `${name}_FILE`, message: `set either ${name} or ${name}_FILE, not both` });
    try {
      values[name] = readFileSync(file, "utf8").trim();
    } catch (error) {
      errors.push({ path: `${name}_FILE`, message: `cannot be read: ${messageOf(error)}` });
    }
  }
  return { values, errors };
}

/** Both files, read; null when no tls address needs them. */
function readSipTls(v: {
  SIP_LISTEN: readonly SipAddress[];
  SIP_TLS_CERT_FILE?: string | undefined;
  SIP_TLS_KEY_FILE?: string | undefined;
}): Config["sipTls"] {
  if (v.SIP_LISTEN.every(({ transport }) => transport !== "tls")) return null;
  const errors: FieldError[] = [];
  const read = (path: "SIP_TLS_CERT_FILE" | "SIP_TLS_KEY_FILE", what: string): string => {
    const file = v[path];
    try {
      if (file !== undefined) return readFileSync(file, "utf8");
      errors.push({ path, message: `is required with a tls/ address in SIP_LISTEN: a PEM file with ${what}` });
    } catch (error) {
      errors.push({ path, message: `cannot be read: ${messageOf(error)}` });
    }
    return "";
  };
  const sipTls = {
    cert: read("SIP_TLS_CERT_FILE", "the certificate"),
    key: read("SIP_TLS_KEY_FILE", "its private key"),
    certFile: v.SIP_TLS_CERT_FILE ?? "",
    keyFile: v.SIP_TLS_KEY_FILE ?? "",
  };
  if (errors.length > 0) throw refused(errors);
  return sipTls;
}

function refused(errors: readonly FieldError[]): AppError {
  const list = errors.map(({ path, message }) => `${path} ${message}`).join("; ");
  return new AppError(
    "config_invalid",
    `The configuration is not usable: ${list}. See \`npx ringmatch config check\`.`,
    { fields: errors },
  );
}
