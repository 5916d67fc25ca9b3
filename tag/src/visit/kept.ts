/**
 * What the browser keeps between pages, only ever with consent: the visitor's id, in a first-party cookie and in localStorage, whichever survives; and in
 * localStorage what the service answered last. Named after the tag key, since subdomains may belong to different accounts.
 */
import { cookie } from "./custom-data.js";
import { attempt } from "./guard.js";
import { config } from "./settings.js";

/**
 * One number the service answered. Instants are this browser's clock when the request was sent, which is before any lock began.
 * `promo` null: the page's own number is to stand. `id` null: nobody's alone, so there is nothing to renew.
 */
export type Held = readonly [promo: string | null, id: string | null, sentAt: number, renewMs: number];
/** By destination. */
export type AllHeld = Record<string, Held>;

const DAY_S = 86_400;

let visitorId = "";
/** Whose cookie this page view wrote: once is enough. */
let inCookie = "";

/** What is known of earlier pages, and of other tabs; what is too old is nothing. It may be of another version of the tag. */
export function recall(): AllHeld {
  // `until`: localStorage has no end of its own.
  const [id, until, held] = attempt(() => JSON.parse(localStorage[keptAs()])) || [];
  const isFresh = until > Date.now();
  visitorId = (attempt(() => cookie(keptAs())) || (isFresh && id) || visitorId).split(".")[0];
  return isFresh && id === visitorId && held;
}

/** Made here rather than by the service: two tabs that open at once are one visitor. Nearly 30 digits, of which the service wants 20. */
export function visitor(): string {
  return (visitorId = visitorId || `vis_${crypto.getRandomValues(new Uint32Array(3)).join("")}`);
}

export function keep(id: string, held: AllHeld): void {
  const forS = config.visitor_days * DAY_S;
  const until = Date.now() + forS * 1_000;
  visitorId = id;
  // The time makes each value another, so that reading it back tells whether this very one was taken.
  if (id !== inCookie) writeCookie(`${(inCookie = id)}.${until}`, forS);
  attempt(() => (localStorage[keptAs()] = JSON.stringify([id, until, held])));
}

export function forget(): void {
  visitorId = inCookie = "";
  writeCookie("", 0);
  attempt(() => delete localStorage[keptAs()]);
}

function keptAs(): string {
  return `ringmatch_${config.key}`;
}

/**
 * At the widest domain that takes it, so that subdomains share it; browsers refuse public suffixes, and take an empty domain for the host alone. Without a
 * value: removed from all of them.
 */
function writeCookie(value: string, forS: number): void {
  attempt(() => {
    // From the second label on: nobody has a top-level domain, and each attempt is a wait for another process.
    const [top, ...labels] = [...location.hostname.split(".").reverse(), ""];
    let domain = top;
    for (const label of labels) {
      domain = label && `${label}.${domain}`;
      document.cookie = `${keptAs()}=${value};path=/;max-age=${forS};samesite=lax;domain=${domain}${isSecureContext ? ";secure" : ""}`;
      if (value && document.cookie.includes(value)) break;
    }
  });
}
