/**
 * Telnyx TeXML: Twilio's verbs and form posts under Telnyx's signature (developers.telnyx.com/docs/voice/programmable-voice/texml-fundamentals). The
 * application's webhook method must be POST: Telnyx's default is GET, which is not signed over anything of ours. CallSid is `v3:` and a long token.
 * Whom <Dial> shows without callerId the documentation does not say; from general knowledge it is the caller, as with Twilio.
 */
import type { CarrierAdapter } from "./carrier-adapter.js";
import { telnyxVerstat, verifyTelnyx } from "./signatures/telnyx-signature.js";
import { text, twimlFamily, type WhoLeft } from "./twiml-family.js";
import type { FormParams } from "./reading/form-body.js";

export const telnyxTexml: CarrierAdapter = twimlFamily({
  carrier: "telnyx",
  verify: verifyTelnyx,
  verstatOf: (params) =>
    telnyxVerstat(text(params, "ShakenStirAttestation"), text(params, "ShakenStirValidated") === "true"),
  /** The name, or the caller's number again when nobody knows one. */
  nameField: "CallerId",
  sipStatusFields: { dial: "SipHangupCause", leg: "SipHangupCause" },
  whoLeft,
  /** "The call is answered and the instruction fetch request is sent" (docs/voice/texml/rest-api/calls); <Dial> has no answerOnBridge in its list. */
  answersCallerWithBusiness: false,
  talkMsOf,
  /** …/texml-verbs/dial, "timeout". */
  ringTimeoutS: { min: 5, max: 120 },
});

/** The dial callback is a "call completed" one (api-reference/callbacks/texml-call-completed): its CallStatus may be the dialled leg's, so causes decide. */
function whoLeft(params: FormParams): WhoLeft {
  const source = text(params, "HangupSource");
  return {
    isCallerGone: text(params, "HangupCause") === "originator_cancel",
    releasedBy: source === "caller" || source === "callee" ? source : null,
  };
}

/** CallDuration counts from StartTime, so the ringing is in it: talk is what lies between these two. */
function talkMsOf(params: FormParams): number | null {
  const [answered, ended] = [Date.parse(text(params, "AnsweredTime")), Date.parse(text(params, "EndTime"))];
  const talkMs = ended - answered;
  return talkMs >= 0 && talkMs <= TALK_MS_MAX ? talkMs : null;
}

/** Telnyx ends every call after four hours (…/texml-verbs/dial, "timeLimit"); more is no talk time. */
const TALK_MS_MAX = 4 * 60 * 60 * 1_000;
