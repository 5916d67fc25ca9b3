/** Every voice, one for each language in which calls can come. */
import { bandwidthVoice } from "./bandwidth-voice.js";
import type { CarrierVoice } from "./carrier-voice.js";
import { sinchVoice } from "./sinch-voice.js";
import { twilioVoice } from "./twilio-voice.js";

export const CARRIER_VOICES: readonly CarrierVoice[] = [bandwidthVoice, sinchVoice, twilioVoice];
