/**
 * Our answers as NCCOs (developer.vonage.com/en/voice/voice-api/ncco-reference). Vonage answers a call before it asks what to do, and an NCCO has no verb
 * that rejects: a refusal is a call that ends at once. For vonage.ts.
 */
import type { AttemptPlan, CarrierAnswer, FallbackPlan, Refusal } from "../carrier-adapter.js";
import { withoutPlus } from "../reading/bare-number.js";
import { NOT_IN_SERVICE } from "./twiml.js";

type Action = Readonly<Record<string, unknown>>;

/**
 * `from` must be one of the Vonage account's own numbers, any other shows the business an unknown caller: it is the promo number. Synchronous: what
 * eventUrl answers to a failed attempt replaces this NCCO. The two hours that a connection lasts are Vonage's maximum.
 */
export function connectNcco(plan: AttemptPlan): CarrierAnswer {
  const { target, ringTimeoutS: timeout, promoNumber, dialUrl, whisperUrl, recording } = plan;
  const onAnswer = whisperUrl === null ? {} : { onAnswer: { url: whisperUrl } };
  const endpoint =
    target.kind === "number"
      ? { type: "phone", number: withoutPlus(target.number), ...onAnswer }
      : { type: "sip", uri: target.uri };
  const eventUrl = whisperUrl === null ? dialUrl : ofConversation(dialUrl, plan.carrierCallId);
  const events = { eventType: "synchronous", eventUrl: [eventUrl], eventMethod: "POST" };
  const connect = { action: "connect", endpoint: [endpoint], from: withoutPlus(promoNumber), timeout, ...events };
  return ncco([...recordingActions(plan, recording), connect]);
}

export const CONVERSATION = "conversation";

/** A leg that hears a whisper is joined to the caller's conversation after it, and may report another one until then: the URL names the caller's. */
function ofConversation(url: string, conversation: string): string {
  return `${url}&${new URLSearchParams({ [CONVERSATION]: conversation }).toString()}`;
}

/** The conversation that our callback's URL names; null when it names none. */
export function conversationIn(url: string): string | null {
  const at = url.indexOf("?");
  return at < 0 ? null : new URLSearchParams(url.slice(at + 1)).get(CONVERSATION);
}

/** Begins when it is reached, the ringing included, and lasts as long as the call; each side in a channel of its own. */
function recordingActions({ statusUrl }: AttemptPlan, recording: AttemptPlan["recording"]): Action[] {
  // A recording is of the whole call: after the first attempt it runs already.
  if (recording === null || recording.announcement === null) return [];
  const record = { action: "record", split: "conversation", eventUrl: [statusUrl], eventMethod: "POST" };
  return [talk(recording.announcement), record];
}

/** The promo number is not known here: the application lends one of its own, so that the business sees a number at all. */
export function fallbackNcco({ number, ringTimeoutS: timeout }: FallbackPlan): CarrierAnswer {
  const endpoint = { type: "phone", number: withoutPlus(number) };
  return ncco([{ action: "connect", endpoint: [endpoint], randomFromNumber: true, timeout }]);
}

/** Without an action the call ends. */
export function refusalNcco(refusal: Refusal): CarrierAnswer {
  return ncco(refusal === "announce" ? [talk(NOT_IN_SERVICE)] : []);
}

export function hangupNcco(): CarrierAnswer {
  return ncco([]);
}

/** To the business alone, before it joins the caller: an endpoint's `onAnswer`. */
export function whisperNcco(text: string): CarrierAnswer {
  return ncco([talk(text)]);
}

/** Of an event nothing but the status is read; an NCCO, even an empty one, could replace the one that runs. */
export function noNcco(): CarrierAnswer {
  return { contentType: "text/plain; charset=utf-8", text: "" };
}

function talk(text: string): Action {
  return { action: "talk", text, language: "en-US" };
}

function ncco(actions: readonly Action[]): CarrierAnswer {
  return { contentType: "application/json; charset=utf-8", text: JSON.stringify(actions) };
}
