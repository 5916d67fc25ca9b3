/**
 * Google's OAuth and Data Manager API, Google Analytics' Measurement Protocol and Meta's Conversions API on loopback, as strict as their documentation
 * says: unknown fields, sizes, times. GA4 answers 204 to everything and drops what it does not take, as the real one does.
 */
import { createPublicKey, createVerify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import { z } from "zod";

const HOUR_MS = 3_600_000;

export interface FakeNetworks {
  readonly urls: {
    readonly ga4: string;
    readonly googleAds: string;
    readonly googleOauth: string;
    readonly meta: string;
  };
  /** What was taken, in order. */
  readonly ga4: z.output<typeof ga4Body>[];
  readonly google: z.output<typeof ingestBody>[];
  readonly meta: z.output<typeof metaBody>[];
  /** What GA4 dropped without saying so. */
  readonly dropped: string[];
  /** Requests of any kind: method and path without query. */
  readonly requests: string[];
  /** How often a token was given, and which are taken; senders keep theirs from test to test, so `clear` keeps them too. */
  readonly tokens: { issued: number; ttlS: number; accepted: Set<string> };
  /** Answers the next requests to this path, instead of what it does else. */
  readonly scripted: Map<string, { status: number; body: string }[]>;
  /** Of accepted requests. */
  readonly requestStatus: Map<string, string>;
  publicKey: string | null;
  clear(): void;
}

const ga4Body = z.strictObject({
  client_id: z.string().min(1),
  timestamp_micros: z.int(),
  consent: z
    .strictObject({
      ad_user_data: z.enum(["GRANTED", "DENIED"]).optional(),
      ad_personalization: z.enum(["GRANTED", "DENIED"]).optional(),
    })
    .optional(),
  events: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[A-Za-z]\w{0,39}$/),
        params: z
          .record(
            z.string().regex(/^(?!ga_|google_|firebase_)[A-Za-z]\w{0,39}$/),
            z.union([z.string().max(100), z.number()]),
          )
          .refine((params) => Object.keys(params).length <= 25)
          .refine(({ value, currency }) => value === undefined || /^[A-Z]{3}$/.test(String(currency))),
      }),
    )
    .min(1)
    .max(25),
});

const account = z.strictObject({ accountType: z.literal("GOOGLE_ADS"), accountId: z.string().regex(/^\d{10}$/) });
const consentWord = z.enum(["CONSENT_GRANTED", "CONSENT_DENIED"]).optional();
const ingestBody = z.strictObject({
  destinations: z
    .array(
      z.strictObject({
        operatingAccount: account,
        loginAccount: account.optional(),
        productDestinationId: z.string().regex(/^\d+$/),
      }),
    )
    .length(1),
  events: z
    .array(
      z.strictObject({
        transactionId: z.string().min(1),
        eventTimestamp: z.iso.datetime(),
        eventSource: z.enum(["WEB", "APP", "IN_STORE", "PHONE", "OTHER"]),
        adIdentifiers: z
          .strictObject({ gclid: z.string().optional(), gbraid: z.string().optional(), wbraid: z.string().optional() })
          .refine((clicks) => Object.keys(clicks).length === 1),
        conversionValue: z.number().optional(),
        currency: z
          .string()
          .regex(/^[A-Z]{3}$/)
          .optional(),
        consent: z.strictObject({ adUserData: consentWord, adPersonalization: consentWord }).optional(),
      }),
    )
    .min(1)
    .max(2_000),
  validateOnly: z.boolean(),
});

const hashed = z.array(z.string().regex(/^[0-9a-f]{64}$/));
const metaBody = z.strictObject({
  data: z
    .array(
      z.strictObject({
        event_name: z.string().min(1).max(50),
        event_time: z
          .int()
          .refine((at) => at * 1000 <= Date.now() && at * 1000 > Date.now() - 7 * 24 * HOUR_MS, "time"),
        event_id: z.string().min(1),
        action_source: z.enum([
          "email",
          "website",
          "app",
          "phone_call",
          "chat",
          "physical_store",
          "system_generated",
          "other",
        ]),
        user_data: z
          .strictObject({
            fbc: z
              .string()
              .regex(/^fb\.1\.\d{13}\.[\w.-]+$/)
              .optional(),
            fbp: z
              .string()
              .regex(/^fb\.1\.\d{13}\.\d+$/)
              .optional(),
            ph: hashed.optional(),
            external_id: hashed.optional(),
          })
          .refine((data) => Object.keys(data).length > 0),
        custom_data: z.strictObject({ value: z.number(), currency: z.string().regex(/^[A-Z]{3}$/) }).optional(),
      }),
    )
    .length(1),
  test_event_code: z.string().optional(),
});

/** Call at the top of a test file; it is closed after the file's tests. */
export async function startNetworks(): Promise<FakeNetworks> {
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const networks: FakeNetworks = {
    urls: {
      ga4: `${origin}/ga4`,
      googleAds: `${origin}/google`,
      googleOauth: `${origin}/oauth`,
      meta: `${origin}/meta`,
    },
    ...{ ga4: [], google: [], meta: [], dropped: [], requests: [] },
    tokens: { issued: 0, ttlS: 3_599, accepted: new Set() },
    scripted: new Map(),
    requestStatus: new Map(),
    publicKey: null,
    clear: () => {
      for (const list of [networks.ga4, networks.google, networks.meta, networks.dropped, networks.requests])
        list.length = 0;
      networks.scripted.clear();
      networks.requestStatus.clear();
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? "", origin);
    networks.requests.push(`${request.method} ${url.pathname}`);
    const answer = networks.scripted.get(url.pathname)?.shift() ?? answerTo(request, url, text);
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
  }

  function answerTo(request: IncomingMessage, url: URL, text: string): { status: number; body: string } {
    if (url.pathname === "/ga4/mp/collect") return takeGa4(networks, url, text);
    if (url.pathname === "/oauth/token") return giveToken(networks, `${origin}/oauth/token`, text);
    if (url.pathname.startsWith("/google/")) {
      const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
      if (!networks.tokens.accepted.has(token)) return googleError(401, "UNAUTHENTICATED");
      return url.pathname === "/google/v1/events:ingest" ? takeIngest(networks, text) : tellStatus(networks, url);
    }
    return takeMeta(networks, url, text);
  }

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return networks;
}

const json = (status: number, body: object): { status: number; body: string } => ({
  status,
  body: JSON.stringify(body),
});
const googleError = (code: number, status: string) => json(code, { error: { code, status, message: status } });

function takeGa4(networks: FakeNetworks, url: URL, text: string) {
  const parsed = ga4Body.safeParse(JSON.parse(text));
  const isOurs = url.searchParams.get("measurement_id") === "G-TEST1234" && url.searchParams.get("api_secret") !== null;
  const ageMs = parsed.success ? Date.now() - parsed.data.timestamp_micros / 1000 : 0;
  if (!parsed.success || !isOurs || ageMs < 0 || ageMs > 72 * HOUR_MS || text.length > 130_000)
    networks.dropped.push(parsed.success ? `query, age or size: ${ageMs}` : parsed.error.message);
  else networks.ga4.push(parsed.data);
  return { status: 204, body: "" };
}

function giveToken(networks: FakeNetworks, audience: string, text: string) {
  const form = new URLSearchParams(text);
  const grant = form.get("grant_type");
  const isFine =
    grant === "refresh_token"
      ? form.get("refresh_token") === "1//refresh-token-for-tests" && form.get("client_id") === "client"
      : grant === "urn:ietf:params:oauth:grant-type:jwt-bearer" &&
        isSigned(form.get("assertion") ?? "", { audience, publicKey: networks.publicKey ?? "" });
  if (!isFine) return json(400, { error: "invalid_grant" });
  const token = `ya29.token-${++networks.tokens.issued}`;
  networks.tokens.accepted.add(token);
  return json(200, { access_token: token, expires_in: networks.tokens.ttlS, token_type: "Bearer" });
}

function isSigned(jwt: string, { audience, publicKey }: { audience: string; publicKey: string }): boolean {
  const [head = "", body = "", signature = ""] = jwt.split(".");
  const read = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, "base64url").toString());
  const { iss, scope, aud, iat, exp } = read(body);
  const nowS = Date.now() / 1000;
  return (
    read(head)["alg"] === "RS256" &&
    iss === "robot@project.iam.gserviceaccount.com" &&
    scope === "https://www.googleapis.com/auth/datamanager" &&
    aud === audience &&
    Math.abs(Number(iat) - nowS) < 60 &&
    Number(exp) - Number(iat) <= 3_600 &&
    createVerify("RSA-SHA256")
      .update(`${head}.${body}`)
      .verify(createPublicKey(publicKey), Buffer.from(signature, "base64url"))
  );
}

function takeIngest(networks: FakeNetworks, text: string) {
  const parsed = ingestBody.safeParse(JSON.parse(text));
  if (!parsed.success) return googleError(400, "INVALID_ARGUMENT");
  networks.google.push(parsed.data);
  const requestId = `req-${networks.google.length}-0123456789`;
  networks.requestStatus.set(requestId, "PROCESSING");
  return json(200, { requestId });
}

function tellStatus(networks: FakeNetworks, url: URL) {
  const status = networks.requestStatus.get(url.searchParams.get("requestId") ?? "");
  if (url.pathname !== "/google/v1/requestStatus:retrieve" || status === undefined)
    return googleError(404, "NOT_FOUND");
  const errorInfo = { errorCounts: [{ recordCount: "1", reason: "PROCESSING_ERROR_REASON_INVALID_GCLID" }] };
  const failed = status === "FAILED" ? { errorInfo } : {};
  return json(200, { requestStatusPerDestination: [{ destination: {}, requestStatus: status, ...failed }] });
}

function takeMeta(networks: FakeNetworks, url: URL, text: string) {
  const token = url.searchParams.get("access_token");
  if (token !== "EAAB-token-for-tests-0001")
    return json(400, { error: { message: `Malformed access token ${token}`, type: "OAuthException", code: 190 } });
  if (!/^\/meta\/v\d+\.0\/\d+\/events$/.test(url.pathname)) return json(404, { error: { code: 803 } });
  const parsed = metaBody.safeParse(JSON.parse(text));
  if (!parsed.success)
    return json(400, { error: { message: parsed.error.message, type: "GraphMethodException", code: 100 } });
  networks.meta.push(parsed.data);
  return json(200, { events_received: 1, messages: [], fbtrace_id: `trace${networks.meta.length}` });
}
