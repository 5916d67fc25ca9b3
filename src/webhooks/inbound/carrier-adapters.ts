/** Every carrier that calls can come from. A carrier with two languages is here twice, told apart by the media type of its requests. */
import type { CarrierAdapter } from "./carrier-adapter.js";
import { plivo } from "./plivo.js";
import { twilio } from "./twilio.js";

export const CARRIER_ADAPTERS: readonly CarrierAdapter[] = [plivo, twilio];
