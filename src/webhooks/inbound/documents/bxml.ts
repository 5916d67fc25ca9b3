/**
 * Our answers as BXML, Bandwidth's call markup (dev.bandwidth.com/docs/voice/bxml). Bandwidth authenticates the callbacks that a verb names with the
 * verb's own username and password. They are left blank here, because answers are stored, and filled in when the answer is sent.
 */
import { element, type XmlAttributes, xmlDocument, type XmlElement } from "../../../kernel/xml.js";
import type { AttemptPlan, CarrierAnswer, FallbackPlan, Refusal } from "../carrier-adapter.js";
import { NOT_IN_SERVICE } from "./twiml.js";

export interface CallbackLogin {
  readonly username: string;
  readonly password: string;
}

/** Sent along in all later events of the leg that executed it: one that was transferred has B legs that tell more. */
export const TRANSFERRED_TAG = "ringmatch";

const BLANK: CallbackLogin = { username: "", password: "" };

/**
 * No transferCallerId: the business's phone shows the caller's own number by default. Several numbers in one <Transfer> would ring together, so there is
 * one, and transferCompleteUrl asks for the next; it is asked only while the caller is still there, so transferDisconnectUrl tells every end.
 */
export function transferBxml(plan: AttemptPlan): CarrierAnswer {
  const { target, ringTimeoutS: callTimeout, dialUrl, statusUrl, whisperUrl, recording } = plan;
  const leg: XmlAttributes = {
    transferAnswerUrl: whisperUrl ?? statusUrl,
    transferAnswerMethod: "POST",
    transferDisconnectUrl: statusUrl,
    transferDisconnectMethod: "POST",
    ...BLANK,
  };
  const called =
    target.kind === "number" ? element("PhoneNumber", leg, [target.number]) : element("SipUri", leg, [target.uri]);
  const asking = { transferCompleteUrl: dialUrl, transferCompleteMethod: "POST", ...BLANK };
  return bxml(
    ...recordingOf(recording),
    element("Transfer", { callTimeout, tag: TRANSFERRED_TAG, ...asking }, [called]),
  );
}

/**
 * What is said answers the call, and from then on the caller pays: the price of a consent. Both sides are recorded, each in its channel; a second
 * <StartRecording> of a call is ignored.
 */
function recordingOf(recording: AttemptPlan["recording"]): XmlElement[] {
  if (recording === null) return [];
  const start = element("StartRecording", { multiChannel: true });
  return recording.announcement === null ? [start] : [spoken(recording.announcement), start];
}

export function fallbackBxml({ number, ringTimeoutS: callTimeout }: FallbackPlan): CarrierAnswer {
  return bxml(element("Transfer", { callTimeout }, [element("PhoneNumber", {}, [number])]));
}

/** <Hangup> as the first verb rejects a call unanswered and uncharged (dev.bandwidth.com/docs/voice/bxml/hangup). BXML has no busy tone. */
export function refusalBxml(refusal: Refusal): CarrierAnswer {
  switch (refusal) {
    case "reject":
    case "busy":
      return hangupBxml();
    case "announce":
      return bxml(spoken(NOT_IN_SERVICE), element("Hangup"));
  }
}

export function hangupBxml(): CarrierAnswer {
  return bxml(element("Hangup"));
}

/** To the business alone; the calls are bridged when it was said (dev.bandwidth.com/docs/voice/webhooks/transferAnswer). */
export function whisperBxml(text: string): CarrierAnswer {
  return bxml(spoken(text));
}

/** A verb that does nothing to be heard: an empty <Response> is a hang-up, and this is also the answer for a business that has just picked up. */
export function nothingBxml(): CarrierAnswer {
  return bxml(element("Tag", {}, [TRANSFERRED_TAG]));
}

/** In tags alone: what is spoken may hold any words, quotation marks too, and must never be given the password. In other attributes those are entities. */
export function withCallbackLogin(text: string, login: CallbackLogin): string {
  return text.replace(/<[^>]*>/g, (tag) => tag.replace(attributesOf(BLANK), () => attributesOf(login)));
}

function attributesOf({ username, password }: CallbackLogin): string {
  return element("A", { username, password }).xml.slice("<A".length, -"/>".length);
}

function spoken(text: string): XmlElement {
  return element("SpeakSentence", { locale: "en_US" }, [text]);
}

function bxml(...verbs: readonly XmlElement[]): CarrierAnswer {
  return { contentType: "application/xml; charset=utf-8", text: xmlDocument(element("Response", {}, verbs)) };
}
