/** Twilio as it speaks to us: form posts signed by its own package, our TwiML read back. See twilio.com/docs/voice/twiml and …/dial. */
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import type { CarrierVoice } from "./carrier-voice.js";
import { tokenKeys, twimlFamilyVoice } from "./twiml-family-voice.js";

export const twilioVoice: CarrierVoice = twimlFamilyVoice({
  carrier: "twilio",
  name: "twilio",
  makeCallId: (random) => `CA${random.bytes(16).toString("hex")}`,
  accountSid: `AC${"0".repeat(32)}`,
  withheld: "+266696687",
  verified: { StirVerstat: "TN-Validation-Passed-A" },
  signsTime: false,
  makeKeys: tokenKeys("x-twilio-signature", getExpectedTwilioSignature),
});
