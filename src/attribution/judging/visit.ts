/**
 * One visitor's way to a call, from the presentation log: which page began the touch that led to it, and from which other site the visitor came.
 * Pure.
 */
import { isJsonObject, type JsonObject } from "../../kernel/json-object.js";
import { hostOf } from "./channel.js";

/** One row of the log, as a page view left it. */
export interface Visit {
  readonly presentationId: string;
  readonly touch: Readonly<Record<string, unknown>>;
  readonly customData: Readonly<Record<string, unknown>>;
  /** Page, referrer, landing and consent as the page gave them (http/stored-visit.ts). */
  readonly context: Readonly<Record<string, unknown>>;
}

export interface Landing {
  readonly landingPage: string | null;
  /** Null: none, or the site's own pages. */
  readonly referrer: string | null;
}

/**
 * The landing page is the first page view of the touch that led to the call: what the tag remembers as such, since pages without our numbers leave no
 * presentation. Where nobody remembered, going back from the matched presentation, through its own renewals, to where the visitor came with this touch
 * or from another site.
 * @param visits oldest first; the last one is what the call was matched to
 */
export function landingOf(visits: readonly Visit[]): Landing {
  const matched = visits[visits.length - 1];
  if (matched === undefined) return { landingPage: null, referrer: null };
  const remembered = matched.context["landing"];
  if (isJsonObject(remembered)) return shownLanding(remembered);
  const own = visits.filter(({ presentationId }) => presentationId === matched.presentationId);
  let at = own.length - 1;
  while (
    at > 0 &&
    externalReferrerOf((own[at] as Visit).context) === null &&
    hasSameTouch(own[at - 1] as Visit, matched)
  )
    at--;
  return shownLanding((own[at] as Visit).context);
}

/** As the page gave it; null: it gave none. */
export function consentOf(visits: readonly Visit[]): Readonly<Record<string, unknown>> | null {
  const consent = visits[visits.length - 1]?.context["consent"];
  return isJsonObject(consent) ? { ...consent } : null;
}

/** @param address `url` and `referrer` of a page */
function shownLanding(address: JsonObject): Landing {
  return { landingPage: textOf(address, "url"), referrer: externalReferrerOf(address) };
}

function externalReferrerOf(address: JsonObject): string | null {
  const referrer = textOf(address, "referrer");
  const from = hostOf(referrer);
  return from === null || from === hostOf(textOf(address, "url")) ? null : referrer;
}

function textOf(address: JsonObject, name: "url" | "referrer"): string | null {
  const value = address[name];
  return typeof value === "string" && value !== "" ? value : null;
}

/** A renewal that brought no touch has the one before it. */
function hasSameTouch(a: Visit, b: Visit): boolean {
  const names = Object.keys(a.touch);
  return names.length === Object.keys(b.touch).length && names.every((name) => a.touch[name] === b.touch[name]);
}
