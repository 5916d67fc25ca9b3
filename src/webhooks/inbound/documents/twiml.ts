/** Our answers as TwiML (twilio.com/docs/voice/twiml). For Twilio, and for the carriers that speak its language. */
import VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";
import type { AttemptPlan, CarrierAnswer, FallbackPlan, Refusal } from "../carrier-adapter.js";

export const NOT_IN_SERVICE = "The number you have dialed is not in service.";

/** Reported of the business's leg: what the record's post-dial delay, ring time and answer come from. */
const LEG_EVENTS: ("ringing" | "answered" | "completed")[] = ["ringing", "answered", "completed"];

/**
 * No callerId: <Dial> shows the caller's own number by default, and the answer is stored, so it must not hold it. With answerOnBridge the caller's
 * leg is answered, and billed, only when the business answers (twilio.com/docs/voice/twiml/dial).
 */
export function dialTwiml(plan: AttemptPlan): CarrierAnswer {
  const { target, ringTimeoutS: timeout, dialUrl: action, statusUrl: statusCallback, whisperUrl, recording } = plan;
  const response = new VoiceResponse();
  // It answers the call, and from then on the caller pays: the price of a consent.
  if (recording !== null && recording.announcement !== null) say(response, recording.announcement);
  const record = recording === null ? {} : { record: "record-from-answer-dual" as const };
  const dial = response.dial({ answerOnBridge: true, timeout, action, method: "POST", ...record });
  const whisper = whisperUrl === null ? {} : { url: whisperUrl, method: "POST" };
  const reports = { statusCallback, statusCallbackEvent: LEG_EVENTS, statusCallbackMethod: "POST", ...whisper };
  if (target.kind === "number") dial.number(reports, target.number);
  else dial.sip(reports, target.uri);
  return twiml(response);
}

/** One <Dial> alone: a second one would ring the next business when the first conversation is over. */
export function fallbackTwiml({ number, ringTimeoutS: timeout }: FallbackPlan): CarrierAnswer {
  const response = new VoiceResponse();
  response.dial({ answerOnBridge: true, timeout }).number(number);
  return twiml(response);
}

/** <Reject> as the first verb leaves the call unanswered and unbilled (twilio.com/docs/voice/twiml/reject). */
export function refusalTwiml(refusal: Refusal): CarrierAnswer {
  const response = new VoiceResponse();
  switch (refusal) {
    case "reject":
      response.reject({ reason: "rejected" });
      break;
    case "busy":
      response.reject({ reason: "busy" });
      break;
    case "announce":
      say(response, NOT_IN_SERVICE);
      response.hangup();
      break;
  }
  return twiml(response);
}

/** <Reject> counts only as the first verb of a call; after a <Dial> it is <Hangup>. */
export function hangupTwiml(): CarrierAnswer {
  const response = new VoiceResponse();
  response.hangup();
  return twiml(response);
}

/** To the business alone, before the caller is connected (twilio.com/docs/voice/twiml/number, "url"). */
export function whisperTwiml(text: string): CarrierAnswer {
  const response = new VoiceResponse();
  say(response, text);
  return twiml(response);
}

export function emptyTwiml(): CarrierAnswer {
  return twiml(new VoiceResponse());
}

function say(response: VoiceResponse, text: string): void {
  response.say({ language: "en-US" }, text);
}

function twiml(response: VoiceResponse): CarrierAnswer {
  return { contentType: "text/xml; charset=utf-8", text: response.toString() };
}
