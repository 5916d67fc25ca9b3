/**
 * SignalWire: cXML, which is TwiML with the same form posts (signalwire.com/docs/compatibility-api/cxml/reference/voice). Signed as Twilio's are, but
 * with the project's Signing Key, never its API token (…/cxml/guides/webhook-security). The header is X-SignalWire-Signature; SignalWire's own packages
 * take X-Twilio-Signature as well, for projects that came from there. Posts in JSON belong to its other language, SWML, and are refused.
 * It passes no STIR/SHAKEN verdict on (none in its list of fields); how it writes a withheld caller is from general knowledge: as Twilio, or a word.
 */
import type { CarrierAdapter } from "./carrier-adapter.js";
import { isSignedForm } from "./signatures/form-signature.js";
import { twimlFamily, whoLeftByCallStatus } from "./twiml-family.js";

const HEADERS = ["x-signalwire-signature", "x-twilio-signature"];

export const signalwire: CarrierAdapter = twimlFamily({
  carrier: "signalwire",
  verify: (request, { credential }) =>
    isSignedForm(request, { credential, headers: HEADERS }) ? { nonce: null } : null,
  verstatOf: () => null,
  nameField: "CallerName",
  /** Only the leg's own status callback has one (rest/calls/webhooks/voice-status-callback); a dial callback tells DialCallStatus alone. */
  sipStatusFields: { dial: "DialSipResultCode", leg: "SipResultCode" },
  whoLeft: whoLeftByCallStatus,
  answersCallerWithBusiness: true,
  talkMsOf: () => null,
  /** cxml/reference/voice/dial, "timeout". */
  ringTimeoutS: { min: 5, max: 600 },
});
