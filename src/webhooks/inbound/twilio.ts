/** Twilio: form posts signed with X-Twilio-Signature (twilio.com/docs/usage/security), answered in TwiML. How its calls are read: twiml-family.ts. */
import type { CarrierAdapter } from "./carrier-adapter.js";
import { isSignedForm } from "./signatures/form-signature.js";
import { verstatOf } from "./reading/report-fields.js";
import { text, twimlFamily, whoLeftByCallStatus } from "./twiml-family.js";

export const twilio: CarrierAdapter = twimlFamily({
  carrier: "twilio",
  verify: (request, { credential }) =>
    isSignedForm(request, { credential, headers: ["x-twilio-signature"] }) ? { nonce: null } : null,
  /** Only when the call came with a PASSporT (twilio.com/docs/voice/trusted-calling-with-shakenstir). */
  verstatOf: (params) => verstatOf(text(params, "StirVerstat")),
  /** Only with Caller ID Lookup on the number (twilio.com/docs/voice/twiml, "CallerName"). */
  nameField: "CallerName",
  sipStatusFields: { dial: "DialSipResponseCode", leg: "SipResponseCode" },
  whoLeft: whoLeftByCallStatus,
  answersCallerWithBusiness: true,
  talkMsOf: () => null,
  /** twilio.com/docs/voice/twiml/dial, "timeout". */
  ringTimeoutS: { min: 1, max: 600 },
});
