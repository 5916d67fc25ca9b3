/**
 * Signs a delivery as Standard Webhooks says (github.com/standard-webhooks/standard-webhooks, spec): HMAC-SHA-256 over `id.timestamp.body`, one signature
 * for each secret in force, separated by spaces.
 */
import { Webhook } from "standardwebhooks";
import type { Instant } from "../../kernel/clock.js";

/** @param secrets `whsec_…`, the newest first */
export function signatureHeaders(input: {
  secrets: readonly string[];
  eventId: string;
  body: string;
  now: Instant;
}): Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string> {
  const { secrets, eventId, body, now } = input;
  const at = new Date(now);
  return {
    "webhook-id": eventId,
    "webhook-timestamp": String(Math.floor(now / 1000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(eventId, at, body)).join(" "),
  };
}
