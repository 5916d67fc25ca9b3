/**
 * SignalWire as it speaks to us: the form posts of cXML, with ids that are UUIDs. Signed by hand, so that neither side rests on the other's code
 * (signalwire.com/docs/compatibility-api/cxml/guides/webhook-security).
 */
import { createHmac } from "node:crypto";
import type { CarrierVoice } from "./carrier-voice.js";
import { type Params, tokenKeys, twimlFamilyVoice } from "./twiml-family-voice.js";

export const signalwireVoice: CarrierVoice = twimlFamilyVoice({
  carrier: "signalwire",
  name: "signalwire",
  makeCallId: (random) => random.uuid(),
  accountSid: "b3877c40-da60-4998-90ad-b792e98472af",
  withheld: "anonymous",
  verified: {},
  also: () => ({ ApiVersion: "2010-04-01" }),
  signsTime: false,
  makeKeys: tokenKeys("x-signalwire-signature", signatureOf),
});

function signatureOf(signingKey: string, url: string, params: Params): string {
  const fields = Object.keys(params)
    .sort()
    .map((name) => `${name}${params[name] ?? ""}`);
  return createHmac("sha1", signingKey)
    .update(`${url}${fields.join("")}`)
    .digest("base64");
}
