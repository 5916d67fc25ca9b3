/** Telnyx TeXML as it speaks to us: TwiML's form posts with long ids, SIP causes and Telnyx's signature (developers.telnyx.com, "TeXML call completed"). */
import type { CarrierVoice, Outcome } from "./carrier-voice.js";
import { telnyxKeys } from "./telnyx-keys.js";
import { type Params, twimlFamilyVoice } from "./twiml-family-voice.js";

const TOKEN_BYTES = 40;

export const telnyxTexmlVoice: CarrierVoice = twimlFamilyVoice({
  carrier: "telnyx",
  name: "telnyx texml",
  makeCallId: (random) => `v3:${random.bytes(TOKEN_BYTES).toString("base64url")}`,
  accountSid: "f5586561-8ff0-4291-a51b-c7dfe4139ff9",
  withheld: "anonymous",
  verified: { ShakenStirAttestation: "A", ShakenStirValidated: "true" },
  also: ({ id, from, callerName }) => ({
    CallSidLegacy: id,
    CallerId: callerName ?? from ?? "anonymous",
    CallingPartyType: "pstn",
    ConnectionId: "1494404757140276705",
  }),
  alsoEnded: (outcome) => CAUSES[outcome.kind](outcome),
  signsTime: true,
  makeKeys: telnyxKeys,
});

const CAUSES: Readonly<Record<Outcome["kind"], (outcome: Outcome) => Params>> = {
  answered: (outcome) => ({
    HangupCause: "normal_clearing",
    HangupSource: outcome.kind === "answered" ? outcome.releasedBy : "unknown",
    SipHangupCause: "200",
  }),
  busy: () => ({ HangupCause: "user_busy", HangupSource: "callee", SipHangupCause: "486" }),
  no_answer: () => ({ HangupCause: "timeout", HangupSource: "unknown", SipHangupCause: "487" }),
  failed: () => ({ HangupCause: "unspecified", HangupSource: "unknown", SipHangupCause: "503" }),
  canceled: () => ({ HangupCause: "originator_cancel", HangupSource: "caller", SipHangupCause: "487" }),
};
