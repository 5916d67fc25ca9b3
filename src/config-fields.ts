/** How the text of each variable is read, and what is wrong with one that cannot be. Used by config.ts, which says what the variables mean. */
import { z } from "zod";
import { LOG_LEVELS } from "./kernel/log.js";
import { parseNetwork } from "./kernel/network.js";
import { DRACHTIO_URL_FORM, type DrachtioAddress, parseDrachtioUrl } from "./sip/drachtio-url.js";

export interface HostPort {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface SipAddress extends HostPort {
  readonly transport: "udp" | "tcp" | "tls";
}

export const ROLES = ["sip", "http", "jobs"] as const;
export type Role = (typeof ROLES)[number];

const PORT_MAX = 65_535;
/** Node takes 16 kB for all headers of a request; 2 are left for the others. */
const KEY_BYTES_MAX = 14_000;
const KEY_TOO_LONG = `must be ${KEY_BYTES_MAX} bytes at most: a longer one does not fit into the headers of a request`;

function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > PORT_MAX ? null : { host, port };
}

function parseSipListen(text: string): SipAddress[] | null {
  const addresses = listOf(text).map((entry) => {
    const match = /^(udp|tcp|tls)\/(.+)$/.exec(entry);
    const address = match?.[2] === undefined ? null : parseHostPort(match[2]);
    return address === null ? null : { transport: match?.[1] as SipAddress["transport"], ...address };
  });
  return addresses.length === 0 || addresses.includes(null) ? null : (addresses as SipAddress[]);
}

function parseRoles(text: string): Role[] | null {
  const names = listOf(text);
  if (names.includes("all")) return names.length === 1 ? [...ROLES] : null;
  return names.length > 0 && names.every((name): name is Role => (ROLES as readonly string[]).includes(name))
    ? [...new Set(names)]
    : null;
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** Of one at least. */
function isListOf(text: string, isGood: (part: string) => boolean): boolean {
  const parts = listOf(text);
  return parts.length > 0 && parts.every(isGood);
}

/** The longest call: whoever wants more has forgotten a unit. */
const DRAIN_S_MAX = 14_400;

function parseDrain(text: string): number | null {
  return /^\d{1,5}$/.test(text) && Number(text) <= DRAIN_S_MAX ? Number(text) : null;
}

const NETWORKS_MESSAGE = "must be a list of networks like 10.0.0.0/8";

function parseNetworks(text: string): string[] | null {
  return listOf(text).every((cidr) => parseNetwork(cidr) !== null) ? listOf(text) : null;
}

/** A field that is parsed by `parse`; null from it is a refusal with `message`. */
function parsedBy<T>(parse: (text: string) => T | null, message: string) {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== null) return value;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
}

/** Not by parsedBy: what is wrong differs from one to the next, and none of it may show a secret. */
function readDrachtioUrls(text: string, context: z.RefinementCtx): DrachtioAddress[] {
  const read = listOf(text).map(parseDrachtioUrl);
  const wrong = read.length === 0 ? DRACHTIO_URL_FORM : read.find((one) => typeof one === "string");
  if (wrong === undefined) return read.filter((one) => typeof one !== "string");
  context.addIssue({ code: "custom", message: wrong });
  return z.NEVER;
}

function urlWith(...protocols: string[]) {
  return (text: string): string | null =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol) ? text : null;
}

function parseBaseUrl(text: string): string | null {
  const url = urlWith("http:", "https:")(text);
  return url === null || new URL(url).search !== "" || new URL(url).hash !== "" ? null : url.replace(/\/+$/, "");
}

function baseUrl(usual: string) {
  return parsedBy(parseBaseUrl, "must be an http(s) URL without query or fragment").prefault(usual);
}

/** By the variables' names; those with a default are never absent. */
export const variables = z.object({
  HTTP_LISTEN: parsedBy(parseHostPort, "must be host:port, e.g. 127.0.0.1:8080 or [::1]:8080").optional(),
  PUBLIC_BASE_URL: parsedBy(parseBaseUrl, "must be an http(s) URL without query or fragment").optional(),
  FALLBACK_BASE_URL: parsedBy(parseBaseUrl, "must be an http(s) URL without query or fragment").optional(),
  DATABASE_URL: parsedBy(urlWith("postgres:", "postgresql:"), "must be a postgres:// URL").optional(),
  REDIS_URL: parsedBy(
    (text) => (isListOf(text, (url) => urlWith("redis:", "rediss:")(url) !== null) ? text : null),
    "must be a redis:// or rediss:// URL, or a comma list of them",
  ).optional(),
  DRACHTIO_URL: z.string().transform(readDrachtioUrls).optional(),
  SIP_LISTEN: parsedBy(
    parseSipListen,
    "must be a list like udp/127.0.0.1:5060,tcp/127.0.0.1:5060,tls/127.0.0.1:5061",
  ).prefault("udp/127.0.0.1:5060,tcp/127.0.0.1:5060"),
  SIP_TLS_CERT_FILE: z.string().optional(),
  SIP_TLS_KEY_FILE: z.string().optional(),
  RINGMATCH_DATA_DIR: z.string().default(".ringmatch"),
  DRAIN_S: parsedBy(parseDrain, `must be a whole number of seconds, 0 to ${DRAIN_S_MAX}`).prefault("10"),
  ADMIN_API_KEY: z
    .string()
    .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{24,}$/u, "must be 24 or more printable characters, in one line")
    .refine((text) => Buffer.byteLength(text) <= KEY_BYTES_MAX, KEY_TOO_LONG)
    .optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(", ")}` }).default("info"),
  ROLES: parsedBy(parseRoles, `must be all, or a list of ${ROLES.join(",")}`).prefault("all"),
  SECRETS_KEY: parsedBy(
    (text) => (text.split(",").every((key) => key.trim().length >= 16) ? text : null),
    "must be one key, or several separated by commas (newest first), of 16 or more characters each and no comma inside",
  ).optional(),
  INTERCEPT_URI: parsedBy((text) => (/^sips?:[^\s<>"]+$/.test(text) ? text : null), "must be a SIP URI").optional(),
  PRESENT_TRUSTED_CIDRS: parsedBy(parseNetworks, NETWORKS_MESSAGE).optional(),
  WEBHOOK_ALLOW_CIDRS: parsedBy(parseNetworks, NETWORKS_MESSAGE).optional(),
  TWILIO_API_URL: parsedBy(urlWith("https:", "http:"), "must be an http(s):// URL").prefault("https://api.twilio.com"),
  TELNYX_API_URL: parsedBy(urlWith("https:", "http:"), "must be an http(s):// URL").prefault("https://api.telnyx.com"),
  GA4_URL: baseUrl("https://www.google-analytics.com"),
  GOOGLE_ADS_URL: baseUrl("https://datamanager.googleapis.com"),
  GOOGLE_OAUTH_URL: baseUrl("https://oauth2.googleapis.com"),
  META_URL: baseUrl("https://graph.facebook.com"),
  NUMBER_CARRIER: z.enum(["twilio", "simulated"], { error: "must be twilio or simulated" }).optional(),
});
