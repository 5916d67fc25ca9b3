/** Every voice, one for each language in which calls can come. */
import type { CarrierVoice } from "./carrier-voice.js";
import { plivoVoice } from "./plivo-voice.js";
import { twilioVoice } from "./twilio-voice.js";

export const CARRIER_VOICES: readonly CarrierVoice[] = [plivoVoice, twilioVoice];
