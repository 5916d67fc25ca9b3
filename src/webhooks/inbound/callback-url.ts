/**
 * The URLs a carrier calls back, and what they carry for us. The carrier signs its callback's URL, so what we wrote there comes back unchanged;
 * a customer who signs a URL of his own makes only his own carrier's call end.
 */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import type { CallbackContext, WebhookKind } from "./carrier-adapter.js";

/** What our callback URLs carry. */
export const CALLBACK_PARAMETERS = ["attempt", "called", "destination", "announced"] as const;

export function callbackUrl(
  base: { readonly baseUrl: string; readonly carrier: Carrier; readonly kind: Exclude<WebhookKind, "voice"> },
  context: {
    readonly called: string;
    readonly attempt: number;
    readonly destination: string;
    readonly isAnnounced: boolean;
  },
): string {
  const { called, attempt, destination, isAnnounced } = context;
  const announced: Record<string, string> = isAnnounced ? { announced: "1" } : {};
  const query = new URLSearchParams({ attempt: String(attempt), called, destination, ...announced });
  return `${base.baseUrl}/webhooks/${base.carrier}/${base.kind}?${query.toString()}`;
}

const NONE: CallbackContext = { called: null, attempt: 0, destination: null, isAnnounced: false };

/** @param target the request target as received; what is not ours to read there is ignored */
export function callbackContextOf(kind: WebhookKind, target: string): CallbackContext {
  const at = target.indexOf("?");
  // A voice webhook's URL is the operator's: its called number is the one the carrier names.
  if (kind === "voice" || at < 0) return NONE;
  const query = new URLSearchParams(target.slice(at + 1));
  const attempt = query.get("attempt") ?? "";
  return {
    called: query.get("called"),
    attempt: /^\d{1,2}$/.test(attempt) ? Number(attempt) : 0,
    destination: query.get("destination"),
    isAnnounced: query.get("announced") === "1",
  };
}
