/** Our answers as Plivo XML (plivo.com/docs/voice/xml). For plivo.ts. */
import type { AttemptPlan, CarrierAnswer, FallbackPlan, Refusal } from "../carrier-adapter.js";
import { NOT_IN_SERVICE } from "./twiml.js";
import { element, type XmlElement, xmlDocument } from "../../../kernel/xml.js";

/** As long as <Dial> lets a call be (its timeLimit); <Record> alone would stop after a minute. */
const RECORD_S_MAX = 14_400;

/**
 * No callerId: <Dial> shows the caller's own number by default, and the answer is stored, so it must not hold it. A document that begins with <Dial>
 * leaves the call unanswered until the business answers; so does Plivo's open framework, and of the service it is general knowledge. <Speak> and
 * <Record> answer it.
 */
export function dialXml(plan: AttemptPlan): CarrierAnswer {
  const { target, ringTimeoutS: timeout, dialUrl: action, statusUrl: callbackUrl, whisperUrl, recording } = plan;
  const post = { method: "POST", callbackMethod: "POST" };
  const noun = target.kind === "number" ? element("Number", {}, [target.number]) : element("User", {}, [target.uri]);
  const dial = element("Dial", { action, timeout, callbackUrl, ...post, confirmSound: whisperUrl }, [noun]);
  return response([...recordingXml(recording), dial]);
}

/** In the background, from the business's answer on; where it is kept, Plivo's console and its API tell. */
function recordingXml(recording: AttemptPlan["recording"]): XmlElement[] {
  if (recording === null) return [];
  const record = element("Record", { startOnDialAnswer: true, redirect: false, maxLength: RECORD_S_MAX });
  return recording.announcement === null ? [record] : [speak(recording.announcement), record];
}

/** One <Dial> alone: a second one would ring the next business when the first conversation is over. */
export function fallbackXml({ number, ringTimeoutS: timeout }: FallbackPlan): CarrierAnswer {
  return response([element("Dial", { timeout }, [element("Number", {}, [number])])]);
}

/** <Hangup reason> as the first element leaves the call unanswered: Plivo's hang-up causes 3020 and 3010. */
export function refusalXml(refusal: Refusal): CarrierAnswer {
  switch (refusal) {
    case "reject":
      return response([element("Hangup", { reason: "rejected" })]);
    case "busy":
      return response([element("Hangup", { reason: "busy" })]);
    case "announce":
      return response([speak(NOT_IN_SERVICE), element("Hangup")]);
  }
}

export function hangupXml(): CarrierAnswer {
  return response([element("Hangup")]);
}

/** To the business alone, before the caller is connected: <Dial confirmSound>. */
export function whisperXml(text: string): CarrierAnswer {
  return response([speak(text)]);
}

export function emptyXml(): CarrierAnswer {
  return response([]);
}

function speak(text: string): XmlElement {
  return element("Speak", { language: "en-US" }, [text]);
}

function response(children: readonly XmlElement[]): CarrierAnswer {
  return { contentType: "text/xml; charset=utf-8", text: xmlDocument(element("Response", {}, children)) };
}
