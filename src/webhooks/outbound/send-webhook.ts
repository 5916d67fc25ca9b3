/** Endpoints of the kind `webhook`: the body as it was rendered, signed with the secrets in force at this attempt. */
import type { LockedEndpoint } from "../../account/outgoing/webhook-endpoints.store.js";
import { invariant } from "../../kernel/invariant.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { SendOutcome } from "./endpoint-kinds.js";
import { sendBody, type SendDeps } from "./send.js";
import { signatureHeaders } from "./sign.js";

const CONTENT_TYPES = { standard: "application/json", cloudevents: "application/cloudevents+json; charset=utf-8" };

export async function sendWebhook(
  deps: SendDeps & { readonly secrets: Secrets },
  delivery: { readonly eventId: string; readonly body: string },
  endpoint: LockedEndpoint,
): Promise<SendOutcome> {
  const { secrets, clock } = deps;
  const { eventId, body } = delivery;
  const { secretEnc, formerSecretEnc, format, url } = endpoint;
  invariant(url !== null, "the database has no webhook without a URL");
  const inForce = [secretEnc, ...(formerSecretEnc === null ? [] : [formerSecretEnc])].map((enc) => secrets.open(enc));
  const headers = {
    "content-type": CONTENT_TYPES[format],
    "user-agent": "Ringmatch-Webhooks",
    ...signatureHeaders({ secrets: inForce, eventId, body, now: clock.now() }),
  };
  return sendBody(deps, { url, headers, body });
}
