/**
 * What the visitor consented to: Google's consent mode as the page's dataLayer has it (developers.google.com/tag-platform/security/guides/consent), Global
 * Privacy Control (w3c.github.io/gpc), and what the page told us itself, which wins over both.
 */
import { attempt } from "./guard.js";
import { config } from "./settings.js";

export type Purpose = "ad_storage" | "analytics_storage" | "ad_user_data" | "ad_personalization";
export type Consents = { [P in Purpose]?: "granted" | "denied" };

const PURPOSES: readonly Purpose[] = ["ad_storage", "analytics_storage", "ad_user_data", "ad_personalization"];

const defaults: Consents = {};
const updates: Consents = {};
const told: Consents = {};
const declined: Consents = {};
let hooked: unknown;

declare global {
  interface Window {
    dataLayer?: unknown[];
  }
  interface Navigator {
    readonly globalPrivacyControl?: boolean;
  }
}

/** Reads what the dataLayer holds and what will be pushed. Again whenever the page has replaced it. */
export function watchDataLayer(onConsent: () => void): void {
  const layer = (window.dataLayer = window.dataLayer || []);
  if (layer === hooked) return;
  hooked = layer;
  layer.forEach(read);
  const { push } = layer;
  layer.push = function (this: unknown[], ...items: unknown[]) {
    const length = push.apply(this, items);
    attempt(() => {
      if (items.filter(read).length > 0) onConsent();
    });
    return length;
  };
}

/** What `ringmatch.consent()` was given. */
export function tellConsent(given: unknown): void {
  take(told, given);
}

/** Nothing known of a purpose: the account decides. */
export function allows(purpose: Purpose): boolean {
  const answer = consents()[purpose];
  return answer ? answer === "granted" : config.consent === "assumed";
}

/**
 * The visitor said no. A default is nobody's word: consent platforms deny by default on every page, and grant a moment later what the visitor chose on
 * an earlier one.
 */
export function isWithdrawn(): boolean {
  return said().analytics_storage === "denied";
}

/** As it goes with each presentation. */
export function consents(): Consents {
  return { ...defaults, ...said() };
}

function said(): Consents {
  if (navigator.globalPrivacyControl) for (const purpose of PURPOSES) declined[purpose] = "denied";
  return { ...updates, ...declined, ...told };
}

/** @returns whether the entry, `arguments` of gtag(), told of consent */
function read(entry: unknown): boolean {
  const [command, kind, given] = Array.from((entry || []) as ArrayLike<unknown>);
  if (command !== "consent") return false;
  if (kind === "update") take(updates, given);
  else {
    // Defaults may be limited to regions. We do not know where the visitor is, so among defaults a denial counts for everybody.
    const denied = { ...defaults };
    take(defaults, given);
    for (const purpose of PURPOSES) if (denied[purpose] === "denied") defaults[purpose] = "denied";
  }
  return true;
}

function take(into: Consents, given: unknown): void {
  for (const purpose of PURPOSES) {
    const answer = (given as Record<string, unknown>)[purpose] ?? 0;
    if (answer !== 0) into[purpose] = answer === "granted" || answer === true ? "granted" : "denied";
  }
}
