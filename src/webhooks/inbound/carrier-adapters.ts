/** Every carrier that calls can come from. A carrier with two languages is here twice, told apart by the media type of its requests. */
import { bandwidth } from "./bandwidth.js";
import type { CarrierAdapter } from "./carrier-adapter.js";
import { plivo } from "./plivo.js";
import { signalwire } from "./signalwire.js";
import { sinch } from "./sinch.js";
import { telnyxCallControl } from "./telnyx-call-control.js";
import { telnyxTexml } from "./telnyx-texml.js";
import { twilio } from "./twilio.js";
import { vonage } from "./vonage.js";

export const CARRIER_ADAPTERS: readonly CarrierAdapter[] = [
  bandwidth,
  plivo,
  signalwire,
  sinch,
  telnyxTexml,
  telnyxCallControl,
  twilio,
  vonage,
];
