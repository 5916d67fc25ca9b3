/**
 * The signature of form posts that Twilio made and SignalWire took over: base64 HMAC-SHA1 over the URL and the sorted fields
 * (twilio.com/docs/usage/security). Used by twilio.ts and signalwire.ts.
 */
import { validateRequest } from "twilio/lib/webhooks/webhooks.js";
import type { CarrierCredential } from "../../../account/carrier-credentials.store.js";
import type { CarrierRequest } from "../carrier-adapter.js";
import { parseForm } from "../reading/form-body.js";
import { authTokensOf } from "./secret-sets.js";

/**
 * Every token is tried, so that two can be valid during rotation; twilio's own helper compares in constant time.
 * @param input `headers`: where the signature may be, the first that is there counts
 * @throws AppError("unreadable_body")
 */
export function isSignedForm(
  request: CarrierRequest,
  input: { credential: CarrierCredential; headers: readonly string[] },
): boolean {
  const signature = input.headers.map((name) => request.headers[name]).find((value) => value !== undefined);
  if (typeof signature !== "string" || !URL.canParse(request.url)) return false;
  const params = parseForm(request.rawBody);
  return authTokensOf(input.credential)
    .map((token) => validateRequest(token, signature, request.url, params))
    .includes(true);
}
