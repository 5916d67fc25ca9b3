/** Every voice, one for each language in which calls can come. */
import { bandwidthVoice } from "./bandwidth-voice.js";
import type { CarrierVoice } from "./carrier-voice.js";
import { plivoVoice } from "./plivo-voice.js";
import { signalwireVoice } from "./signalwire-voice.js";
import { sinchVoice } from "./sinch-voice.js";
import { telnyxCallControlVoice } from "./telnyx-call-control-voice.js";
import { telnyxTexmlVoice } from "./telnyx-texml-voice.js";
import { twilioVoice } from "./twilio-voice.js";
import { vonageGetVoice, vonageVoice } from "./vonage-voice.js";

export const CARRIER_VOICES: readonly CarrierVoice[] = [
  bandwidthVoice,
  plivoVoice,
  signalwireVoice,
  sinchVoice,
  telnyxCallControlVoice,
  telnyxTexmlVoice,
  twilioVoice,
  vonageVoice,
  vonageGetVoice,
];
