/** Every carrier that calls can come from. A carrier with two languages is here twice, told apart by the media type of its requests. */
import { bandwidth } from "./bandwidth.js";
import type { CarrierAdapter } from "./carrier-adapter.js";
import { sinch } from "./sinch.js";
import { twilio } from "./twilio.js";

export const CARRIER_ADAPTERS: readonly CarrierAdapter[] = [bandwidth, sinch, twilio];
