/**
 * `/webhooks/{carrier}/{voice,dial,status,whisper}`: raw body → called number → its credential → signature → stored answer, or act and store. Before
 * the signature passes, nothing but the called number is read and nothing is stored. Registered by the HTTP server; problems go to its error handler.
 */
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { Counter, type Registry } from "prom-client";
import type { Carrier, CarrierCredential } from "../../account/carrier-credentials.store.js";
import { AppError } from "../../kernel/errors.js";
import { invariant } from "../../kernel/invariant.js";
import { printableDialled } from "../../routing/inbound-call.js";
import type { RouteCallDeps } from "../../routing/route-call.js";
import { normalizeNumber } from "../../telephony/e164.js";
import { callbackContextOf } from "./callback-url.js";
import {
  CALLER,
  type CallbackContext,
  type CallReport,
  type CarrierAdapter,
  type CarrierCommand,
  type CarrierRequest,
  type Verified,
  WEBHOOK_KINDS,
  type WebhookKind,
} from "./carrier-adapter.js";
import { type DeliveryId, findDelivery, type Received, storeDelivery, useNonce } from "./deliveries.store.js";
import { CredentialBook } from "./credential-book.js";
import { type Hosting, hostingOf } from "./hosting.js";
import {
  type Acted,
  answerDial,
  answerVoice,
  answerWhisper,
  type InboundWebhook,
  takeStatus,
} from "./inbound-calls.js";
import { STEP_LIMIT_MS, within } from "./within.js";

/** Carriers send about 1 kB; the largest documented are far below. */
export const WEBHOOK_BYTES_MAX = 64 * 1024;

export type WebhookOutcome = "answered" | "replayed" | "bad_signature" | "refused" | "unavailable";

export interface WebhookDeps extends RouteCallDeps {
  /** PUBLIC_BASE_URL: what carriers sign, whatever proxies put into Host and X-Forwarded-*. */
  readonly publicBaseUrl: string | null;
  /** Where the service listens, e.g. `http://127.0.0.1:8080`; used without PUBLIC_BASE_URL. */
  readonly fallbackBaseUrl: () => string;
  readonly metrics: Registry;
  readonly sendCommands: SendCommands;
  /** Calls its listener whenever a carrier credential was changed, so that a revoked secret does not speak from memory. */
  readonly onCredentialsChanged?: (listener: () => void) => void;
}

/** What a request needs beside what it brings. */
interface Receiving extends WebhookDeps {
  readonly adapter: CarrierAdapter;
  readonly credentials: CredentialBook;
}

/** To the carrier's API. @throws AppError("carrier_unavailable") when one was not accepted in time: the carrier's webhook is then refused, and comes again */
export type SendCommands = (credential: CarrierCredential, commands: readonly CarrierCommand[]) => Promise<void>;

/** Throws AppErrors to the enclosing error handler: bad_signature, unreadable_body, invalid_value, too_large, unsupported_media_type, 503s. */
export function carrierWebhooks(deps: WebhookDeps, adapters: readonly CarrierAdapter[]): FastifyPluginAsync {
  const credentials = new CredentialBook(deps);
  deps.onCredentialsChanged?.(() => void credentials.read());
  const webhooks = new Counter({
    name: "ringmatch_webhooks_total",
    help: "Carrier webhooks received, by what became of them",
    labelNames: ["carrier", "kind", "outcome"],
    registers: [deps.metrics],
  });
  return async (app) => {
    await credentials.read();
    for (const carrier of new Set(adapters.map((adapter) => adapter.carrier))) {
      const spoken = adapters.filter((adapter) => adapter.carrier === carrier);
      await app.register(routesOf({ ...deps, credentials }, { carrier, spoken, webhooks }));
    }
  };
}

function routesOf(
  deps: Omit<Receiving, "adapter">,
  input: { carrier: Carrier; spoken: readonly CarrierAdapter[]; webhooks: Counter },
): FastifyPluginAsync {
  const { carrier, spoken, webhooks } = input;
  return async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      spoken.flatMap(({ contentTypes }) => contentTypes),
      { parseAs: "buffer", bodyLimit: WEBHOOK_BYTES_MAX },
      (_request, body, done) => done(null, body),
    );
    const count = (kind: WebhookKind, outcome: WebhookOutcome) => webhooks.inc({ carrier, kind, outcome });
    const method = spoken.some(({ takesGet }) => takesGet) ? ["GET", "POST"] : "POST";
    for (const kind of WEBHOOK_KINDS) {
      const errorHandler = (error: FastifyError): never => {
        const known = asAppError(error);
        count(kind, outcomeOf(known));
        throw known;
      };
      const url = `/webhooks/${carrier}/${kind}`;
      const handler = async (request: FastifyRequest, reply: FastifyReply) => {
        const adapter = adapterFor(spoken, request);
        if (adapter.challenge !== undefined && isProbe(request)) {
          count(kind, "bad_signature");
          return reply.code(401).header("www-authenticate", adapter.challenge).send();
        }
        const { answer, isReplay } = await receive({ ...deps, adapter }, { path: kind, request });
        count(kind, isReplay ? "replayed" : "answered");
        return reply.type(answer.contentType).send(answer.text);
      };
      // HEAD would be a GET that nobody signed.
      app.route({ method, url, exposeHeadRoute: false, schema: documented(kind), errorHandler, handler });
    }
  };
}

const SUMMARIES: Readonly<Record<WebhookKind, string>> = {
  voice: "A call came: what to do",
  dial: "A business that was rung is done: what now",
  status: "What became of a call",
  whisper: "The business picked up: what it is told before it is connected",
};

/** For /openapi.json; bodies are the carriers' own. */
function documented(kind: WebhookKind): { summary: string; description: string; tags: string[] } {
  const description =
    "For the carrier, in its own language (docs/carriers.md). 403 unless the number's credential signed it; the same delivery again gets the stored answer.";
  return { summary: SUMMARIES[kind], description, tags: ["Carrier webhooks"] };
}

/** It says nothing yet, so that there is nothing to refuse. */
function isProbe({ headers, body }: FastifyRequest): boolean {
  return headers.authorization === undefined && (!Buffer.isBuffer(body) || body.length === 0);
}

/** The one whose media type it is; a GET, or a body without any type, goes to the first. */
function adapterFor(spoken: readonly CarrierAdapter[], request: FastifyRequest): CarrierAdapter {
  const [mediaType = ""] = (request.headers["content-type"] ?? "").toLowerCase().split(";", 1);
  const adapter = spoken.find(({ contentTypes }) => contentTypes.includes(mediaType.trim())) ?? spoken[0];
  invariant(adapter !== undefined, "a carrier's routes have an adapter");
  return adapter;
}

function outcomeOf(error: unknown): WebhookOutcome {
  if (!(error instanceof AppError) || error.status >= 500) return "unavailable";
  return error.code === "bad_signature" ? "bad_signature" : "refused";
}

async function receive(deps: Receiving, input: { path: WebhookKind; request: FastifyRequest }): Promise<Received> {
  const { path, request } = input;
  const { adapter } = deps;
  const baseUrl = (deps.publicBaseUrl ?? deps.fallbackBaseUrl()).replace(/\/+$/, "");
  const target = request.raw.url ?? "";
  const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const method = request.method === "GET" ? "GET" : "POST";
  const carried: CarrierRequest = { method, url: baseUrl + target, headers: request.headers, rawBody };

  const context = contextOf(adapter, carried, { path, target });
  const called = calledNumber(context.called ?? adapter.peekCalledNumber(carried));
  const hosting = await hostingOf(deps, { carrier: adapter.carrier, called: called ?? "" });
  const { credential, nonce } = await assertSigned(deps, carried, hosting);
  if (called === null) throw new AppError("invalid_value", "The request names no called number.");

  const kind = adapter.kindOf(carried, path);
  const { isDatabaseUp } = hosting;
  const webhook: InboundWebhook = { adapter, isDatabaseUp, credential, called, baseUrl };
  const { deliveryKey, caller, act } = understand(deps, webhook, { kind, carried, context });
  const id = { carrier: adapter.carrier, key: `${credential.id}|${kind}|${context.attempt}|${deliveryKey}` };
  if (nonce !== null && isDatabaseUp) await assertNewNonce(deps, id, { credentialId: credential.id, nonce });
  const received = await answerOnce(deps, { kind, id, act, isDatabaseUp });
  const { commands = [] } = received.answer;
  // Again for a repeated delivery: perhaps the first one failed at this.
  if (commands.length > 0) await deps.sendCommands(credential, withCaller(commands, caller));
  return { ...received, answer: adapter.withSecrets?.(received.answer, credential) ?? received.answer };
}

function contextOf(
  adapter: CarrierAdapter,
  carried: CarrierRequest,
  { path, target }: { path: WebhookKind; target: string },
): CallbackContext {
  const inUrl = callbackContextOf(path, target);
  return inUrl.called === null ? (adapter.contextOf?.(carried) ?? inUrl) : inUrl;
}

/** The only place where a command gets to know the caller: on its way out, never where it is stored. */
function withCaller(commands: readonly CarrierCommand[], caller: string | null): CarrierCommand[] {
  return commands.map(({ bodyWithCaller, ...command }) => {
    if (bodyWithCaller === undefined || caller === null) return command;
    const filled = Object.entries(bodyWithCaller).map(([name, value]) => [name, value === CALLER ? caller : value]);
    return { ...command, body: { ...command.body, ...Object.fromEntries(filled) } };
  });
}

/** With the database away the call's key alone keeps the record single, and the same number gets the same answer. */
async function answerOnce(
  deps: Receiving,
  input: { kind: WebhookKind; id: DeliveryId; act: () => Promise<Acted>; isDatabaseUp: boolean },
): Promise<Received> {
  const { kind, id, act, isDatabaseUp } = input;
  let isKnown = isDatabaseUp;
  // A call that comes again finds its record by its key: looking for its answer beforehand would cost every first one a query.
  if (kind !== "voice" && isDatabaseUp) {
    const find = { step: "find_delivery", ms: STEP_LIMIT_MS };
    const found = await within(deps.log, find, findDelivery(deps.db, id));
    if (found !== null && found.value !== null) return { answer: found.value, isReplay: true };
    isKnown = found !== null;
  }
  const acted = await act();
  const store = { step: "store_delivery", ms: STEP_LIMIT_MS };
  const stored = isKnown ? await within(deps.log, store, storeDelivery(deps.db, id, acted)) : null;
  const received = stored?.value ?? { answer: acted.answer, isReplay: false };
  if (!received.isReplay) acted.onGiven?.();
  return received;
}

function calledNumber(text: string | null): string | null {
  if (text === null) return null;
  return normalizeNumber(text) ?? printableDialled(text);
}

/** @throws AppError("bad_signature") also when nobody may sign for the number */
async function assertSigned(
  { adapter, clock }: Receiving,
  carried: CarrierRequest,
  { credential }: Hosting,
): Promise<Verified & { readonly credential: CarrierCredential }> {
  const verified = credential === null ? null : await adapter.verify(carried, { credential, now: clock.now() });
  if (credential === null || verified === null)
    throw new AppError(
      "bad_signature",
      "None of the credential's secrets signed this request lately; check PUBLIC_BASE_URL, the secrets and this machine's clock.",
    );
  return { ...verified, credential };
}

/** With the database away nobody knows; the call's key still keeps its record single. @throws AppError("bad_signature") */
async function assertNewNonce(
  deps: Receiving,
  id: DeliveryId,
  input: { credentialId: string; nonce: string },
): Promise<void> {
  const use = { step: "use_nonce", ms: STEP_LIMIT_MS };
  const used = await within(deps.log, use, useNonce(deps.db, id, input));
  if (used !== null && !used.value)
    throw new AppError("bad_signature", "The signature's nonce was used before, with another delivery.");
}

/** Parsed once; what follows speaks our words. */
function understand(
  deps: RouteCallDeps,
  webhook: InboundWebhook,
  input: { kind: WebhookKind; carried: CarrierRequest; context: CallbackContext },
): Pick<CallReport, "caller"> & { readonly deliveryKey: string; readonly act: () => Promise<Acted> } {
  const { adapter } = webhook;
  const { kind, carried, context } = input;
  switch (kind) {
    case "voice": {
      const report = adapter.parseVoice(carried);
      return { ...report, deliveryKey: report.carrierCallId, act: () => answerVoice(deps, webhook, report) };
    }
    case "dial": {
      const report = adapter.parseDial(carried);
      return { ...report, act: () => answerDial(deps, webhook, { report, context }) };
    }
    case "whisper": {
      const report = adapter.parseVoice(carried);
      return { ...report, deliveryKey: report.carrierCallId, act: () => answerWhisper(deps, webhook) };
    }
    case "status": {
      const now = deps.databaseClock.now();
      const report = adapter.parseStatus(carried, { attempt: context.attempt, now });
      return { ...report, act: () => takeStatus(deps, webhook, report) };
    }
  }
}

function asAppError(error: FastifyError): unknown {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new AppError("too_large", `A webhook's body is at most ${WEBHOOK_BYTES_MAX} bytes.`, { cause: error });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new AppError("unsupported_media_type", "This carrier's webhooks have another content type.", {
        cause: error,
      });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new AppError("unreadable_body", "The body is not as long as announced.", { cause: error });
    default:
      return error;
  }
}
