/** The carrier webhooks in an HTTP server of their own over real routing parts, and Twilio's stand-in that speaks to them. */
import Fastify from "fastify";
import { Registry } from "prom-client";
import { putCredential } from "../../../src/account/carrier-credentials.store.js";
import type { CallRecord } from "../../../src/attribution/call-record.js";
import { findCallByKey, getCall } from "../../../src/attribution/calls.store.js";
import { type Database, openDatabase } from "../../../src/db/database.js";
import { appErrorOf, sendAppError } from "../../../src/http/problem.js";
import { silentLog } from "../../../src/kernel/log.js";
import type { CarrierCommand } from "../../../src/webhooks/inbound/carrier-adapter.js";
import { carrierWebhooks, type SendCommands } from "../../../src/webhooks/inbound/inbound-route.js";
import { CARRIER_ADAPTERS } from "../../../src/webhooks/inbound/carrier-adapters.js";
import { rows } from "../../support/database.js";
import { startLink } from "../../support/severable-link.js";
import { startRouting, type TestRouting } from "../../support/routing.js";
import { until } from "../../support/until.js";
import { ids, secrets } from "../../support/world.js";
import { type Params, twilioStandIn, type TwilioStandIn } from "./twilio-stand-in.js";

export const PUBLIC_URL = "https://calls.example.com";
export const PLATFORM_TOKEN = "platform token of the tests";

export interface WebhookService {
  readonly routing: TestRouting;
  readonly server: string;
  /** Signs with the platform's token. */
  readonly twilio: TwilioStandIn;
  /** Another Twilio account's. */
  twilioWith(token: string): TwilioStandIn;
  /** What a carrier's API was told, in order. */
  readonly commands: readonly CarrierCommand[];
  /** How often webhooks had this outcome. */
  counted(outcome: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startWebhooks(
  db: Database,
  options: { publicBaseUrl?: string | null; sendCommands?: SendCommands } = {},
): Promise<WebhookService> {
  const publicBaseUrl = options.publicBaseUrl === undefined ? PUBLIC_URL : options.publicBaseUrl;
  const routing = await startRouting(db);
  const metrics = new Registry();
  const app = Fastify();
  app.setErrorHandler((error, _request, reply) => {
    const known = appErrorOf(error);
    return known === null ? reply.code(500).send(String(error)) : sendAppError(reply, known);
  });
  let server = "";
  const commands: CarrierCommand[] = [];
  const sendCommands: SendCommands = async (credential, told) => {
    commands.push(...told);
    await options.sendCommands?.(credential, told);
  };
  const deps = {
    ...routing.deps,
    publicBaseUrl,
    fallbackBaseUrl: () => server,
    metrics,
    sendCommands,
  };
  await app.register(carrierWebhooks(deps, CARRIER_ADAPTERS));
  server = await app.listen({ host: "127.0.0.1", port: 0 });
  const twilioWith = (token: string) => twilioStandIn({ server, publicUrl: publicBaseUrl ?? server, token });
  return {
    routing,
    server,
    commands,
    twilio: twilioWith(PLATFORM_TOKEN),
    twilioWith,
    counted: async (outcome) => {
      const { values } = (await metrics.getSingleMetric("ringmatch_webhooks_total")?.get()) ?? { values: [] };
      return values.filter((value) => value.labels["outcome"] === outcome).reduce((sum, { value }) => sum + value, 0);
    },
    stop: async () => {
      await app.close();
      await routing.stop();
    },
  };
}

export interface LinkedWebhooks {
  readonly service: WebhookService;
  /** Between the service and its database; the test's own connection goes past it. */
  readonly link: Awaited<ReturnType<typeof startLink>>;
  stop(): Promise<void>;
}

/** The webhooks on a database that can be cut off or fall silent. Credentials are to be put first: they are read at the start. */
export async function startLinkedWebhooks(url: string): Promise<LinkedWebhooks> {
  const link = await startLink(url);
  const linked = openDatabase({ url: link.url, log: silentLog });
  const service = await startWebhooks(linked);
  const stop = async (): Promise<void> => {
    link.mend();
    await service.stop();
    await linked.close();
    await link.close();
  };
  return { service, link, stop };
}

/** @param tokens default: the platform's of these tests */
export async function putTwilio(
  db: Database,
  input: { accountId?: string | null; tokens?: readonly string[]; intercept?: "reject" | "announce" } = {},
): Promise<string> {
  const { accountId = null, tokens = [PLATFORM_TOKEN], intercept = "reject" } = input;
  const auth = { auth_tokens: tokens };
  return putCredential({ db, ids, secrets }, { carrier: "twilio", accountId, secrets: auth, intercept });
}

/** The one record of a call; null when it has none. */
export async function recordOf(db: Database, credentialId: string, call: Params): Promise<CallRecord | null> {
  const ref = await findCallByKey(db, `twilio:${credentialId}:${call["CallSid"] ?? ""}`);
  return ref === null ? null : getCall(db, { id: ref.callId, accountId: null });
}

/** The one record of a call, as soon as it is there: on a busy machine it may have gone through the spool. */
export function settledRecord(
  db: Database,
  input: { service: WebhookService; credentialId: string; call: Params },
): Promise<CallRecord> {
  const { service, credentialId, call } = input;
  return until("the call has its record", async () => {
    await service.routing.callLog.replayNow();
    return recordOf(db, credentialId, call);
  });
}

/** How many rows webhooks left behind. */
export async function storedRows(db: Database): Promise<number> {
  const [row] = await rows<{ count: number }>(
    db,
    `select (select count(*) from call) + (select count(*) from call_key) + (select count(*) from intercept)
       + (select count(*) from webhook_delivery) as count`,
  );
  return (row as { count: number }).count;
}
