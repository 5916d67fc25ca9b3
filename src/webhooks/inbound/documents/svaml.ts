/** Our answers as SVAML, Sinch's call control in JSON (developers.sinch.com/docs/voice/api-reference/svaml): instructions, and one action. */
import type { AttemptPlan, CarrierAnswer, FallbackPlan, Refusal } from "../carrier-adapter.js";
import { NOT_IN_SERVICE } from "./twiml.js";

/** Later events of the call bring it back. At most 50 characters, with all cookies of a call at most 1 kB. */
export const CALLED_COOKIE = "ringmatch-called";

type Instruction =
  | { readonly name: "setCookie"; readonly key: string; readonly value: string }
  | { readonly name: "say"; readonly text: string; readonly locale: string };

type Action =
  | { readonly name: "hangup" | "continue" }
  | {
      readonly name: "connectPstn";
      readonly number: string;
      /** Seconds of ringing. */
      readonly dialTimeout: number;
      readonly suppressCallbacks?: true;
    }
  | {
      readonly name: "connectSip";
      readonly destination: { readonly type: "sip"; readonly endpoint: string };
      readonly transport: string;
    };

/**
 * No cli: by default the business's phone shows the caller's own number, and the answer is stored, so it must not hold it. (Sinch shows it for accounts
 * whose CLI capability is enabled.) The caller's leg is answered when the business answers. connectSip has no timeout.
 */
export function connectSvaml({ target, ringTimeoutS: dialTimeout, promoNumber }: AttemptPlan): CarrierAnswer {
  const action: Action =
    target.kind === "number" ? { name: "connectPstn", number: target.number, dialTimeout } : connectSip(target.uri);
  return svaml(action, [{ name: "setCookie", key: CALLED_COOKIE, value: promoNumber }]);
}

/** The address without its scheme; what the URI says of the transport is a field of its own. */
function connectSip(uri: string): Action {
  const whole = uri.replace(/^sips?:/i, "");
  // A user may have parameters of its own (`+14155550100;phone-context=…@host`): the URI's begin behind the host.
  const end = whole.indexOf(";", whole.indexOf("@") + 1);
  const address = end < 0 ? whole : whole.slice(0, end);
  const parameters = end < 0 ? [] : whole.slice(end + 1).split(";");
  const named = parameters.find((parameter) => /^transport=/i.test(parameter))?.slice("transport=".length);
  const transport = /^sips:/i.test(uri) ? "tls" : (named ?? "udp").toLowerCase();
  return { name: "connectSip", destination: { type: "sip", endpoint: address }, transport };
}

/**
 * For an application that hosts this number alone, because fallback URLs belong to applications. It suppresses the callbacks: the answer of a static
 * document to `ace` would be this one, and connectPstn is not allowed there.
 */
export function fallbackSvaml({ number, ringTimeoutS: dialTimeout }: FallbackPlan): CarrierAnswer {
  return svaml({ name: "connectPstn", number, dialTimeout, suppressCallbacks: true });
}

/** A hang-up in the answer to `ice` leaves the call unanswered (from general knowledge). SVAML has no busy tone. */
export function refusalSvaml(refusal: Refusal): CarrierAnswer {
  switch (refusal) {
    case "reject":
    case "busy":
      return hangupSvaml();
    case "announce":
      return svaml({ name: "hangup" }, [{ name: "say", text: NOT_IN_SERVICE, locale: "en-US" }]);
  }
}

export function hangupSvaml(): CarrierAnswer {
  return svaml({ name: "hangup" });
}

/** What `ace` must be answered with, or the conversation would end; `dice` and `notify` need no answer. */
export function continueSvaml(): CarrierAnswer {
  return svaml({ name: "continue" });
}

function svaml(action: Action, instructions: readonly Instruction[] = []): CarrierAnswer {
  const document = instructions.length === 0 ? { action } : { instructions, action };
  return { contentType: "application/json; charset=utf-8", text: JSON.stringify(document) };
}
