/**
 * Meta's Conversions API: POST /<version>/<dataset>/events. It drops an event that it had within 48 hours by name and id, so an attempt that is doubled
 * does no harm, and a changed value cannot be told.
 */
import { createHash } from "node:crypto";
import { type MetaSettings, openSettings } from "../../../account/outgoing/conversion-settings.js";
import type { Secrets } from "../../../kernel/secrets.js";
import { type Answer, exchange, type SendDeps } from "../send.js";
import type { Network } from "./conversion-kind.js";
import { META_AGE_MS_MAX, metaEvent, type MetaEventSettings } from "./meta-event.js";
import { jsonIn, outcomeOf, refusedForEver, withoutSecrets } from "./network-answer.js";

/** The version whose parameters meta-event.ts has. */
const GRAPH_VERSION = "v25.0";
/**
 * The Graph API says most things with 400, and what it means with `error.code` (developers.facebook.com/docs/graph-api/guides/error-handling): these are of
 * the moment (1, 2, limits 4, 17, 32, 341, 368, 613) or of the token and its rights (10, 102, 190, 200–299).
 */
const MOMENTARY = new Set([1, 2, 4, 17, 32, 341, 368, 613, 10, 102, 190]);

/** @param url META_URL */
export function meta(deps: SendDeps & { readonly secrets: Secrets }, url: string): Network {
  return {
    kind: "meta",
    needsConsentTo: ["ad_storage", "ad_user_data"],
    canRestate: false,
    ageMsMax: META_AGE_MS_MAX,
    namesCaller: true,
    make: ({ call, settings, caller }) => metaEvent({ call, settings: settings as MetaEventSettings, caller, sha256 }),
    send: async (body, { secretEnc }) => {
      const { dataset_id, access_token } = openSettings<MetaSettings>(deps.secrets, secretEnc);
      const query = new URLSearchParams({ access_token }).toString();
      const target = `${url}/${GRAPH_VERSION}/${dataset_id}/events?${query}`;
      const sent = await exchange(deps, { url: target, headers: { "content-type": "application/json" }, body });
      const answer = withoutSecrets(sent, [access_token]);
      const traceId = answer.kind === "answered" ? jsonIn(answer.text)?.["fbtrace_id"] : null;
      return outcomeOf(answer, { isFinal: isFinal(answer), requestId: typeof traceId === "string" ? traceId : null });
    },
  };
}

function isFinal(answer: Answer): boolean {
  if (answer.kind === "unanswered" || !refusedForEver(answer.status)) return false;
  const error = jsonIn(answer.text)?.["error"] as Readonly<Record<string, unknown>> | undefined;
  const code = error?.["code"];
  if (error?.["is_transient"] === true || typeof code !== "number") return error?.["is_transient"] !== true;
  return !MOMENTARY.has(code) && !(code >= 200 && code < 300);
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
