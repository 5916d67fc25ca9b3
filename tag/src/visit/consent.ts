/**
 * What the visitor consented to: Google's consent mode as the page's dataLayer has it (developers.google.com/tag-platform/security/guides/consent), Global
 * Privacy Control (w3c.github.io/gpc), and what the page told us itself, which wins over both.
 */
import { attempt } from "./guard.js";
import { config } from "./settings.js";

const ADS = ["ad_storage", "ad_user_data"] as const;
const ANALYTICS = "analytics_storage";
const PURPOSES = [...ADS, ANALYTICS, "ad_personalization"] as const;
const DENIED = "denied";
const GRANTED = "granted";

type Purpose = (typeof PURPOSES)[number];
type Consents = Record<string, unknown>;

const defaults: Consents = {};
const updates: Consents = {};
const told: Consents = {};

declare global {
  interface Window {
    dataLayer?: unknown[];
  }
  interface Navigator {
    readonly globalPrivacyControl?: boolean;
  }
}

/** Reads what the dataLayer holds and what will be pushed. */
export function watchDataLayer(onConsent: () => void): void {
  const layer = (window.dataLayer = window.dataLayer || []);
  const { push } = layer;
  layer.forEach(read);
  layer.push = (...items: unknown[]) => {
    const length = push.apply(layer, items);
    if (items.some(read)) onConsent();
    return length;
  };
}

/** What `ringmatch.consent()` was given. */
export function tellConsent(given: Consents): void {
  return take(told, given);
}

/** A visitor's number, and everything that is kept for it. */
export function allowsVisitor(): boolean {
  return allows(ANALYTICS);
}

/** Click ids, and what advertising networks know the browser by. */
export function allowsAds(): boolean {
  return ADS.every(allows);
}

/**
 * The visitor said no. A default is nobody's word: consent platforms deny by default on every page, and grant a moment later what the visitor chose on
 * an earlier one.
 */
export function isWithdrawn(): boolean {
  return said(ANALYTICS) === DENIED;
}

/** As it goes with each presentation; what nobody spoke of is undefined. */
export function consents(): Consents {
  return Object.fromEntries(PURPOSES.map((purpose) => [purpose, said(purpose) || defaults[purpose]]));
}

/** Where nothing is known of a purpose, the account decides. */
function allows(purpose: Purpose): boolean {
  return (said(purpose) || defaults[purpose] || (config.consent === "assumed" && GRANTED)) === GRANTED;
}

function said(purpose: Purpose): unknown {
  return told[purpose] || (navigator.globalPrivacyControl ? DENIED : updates[purpose]);
}

/** @returns whether the entry, `arguments` of gtag(), told of consent */
function read(entry: unknown): unknown {
  return attempt(() => {
    const [command, kind, given] = entry as Iterable<unknown>;
    if (command === "consent") take(kind === "update" ? updates : defaults, given as Consents);
    return command === "consent";
  });
}

/** Defaults may be limited to regions. We do not know where the visitor is, so among defaults a denial counts for everybody. */
function take(into: Consents, given: Consents): void {
  for (const purpose in given) {
    into[purpose] = given[purpose] === GRANTED && (into !== defaults || into[purpose] !== DENIED) ? GRANTED : DENIED;
  }
}
