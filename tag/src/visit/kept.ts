/**
 * What the browser keeps between pages, only ever with consent: the visitor's id, in a first-party cookie and in localStorage, whichever survives; and in
 * localStorage what the service answered last, and the landing: the latest page view that something brought the visitor to. Named after the tag key, since
 * subdomains may belong to different accounts.
 */
import { cookie } from "./custom-data.js";
import { attempt } from "./guard.js";
import { CLICK_IDS, type PageView, sendable } from "./page-url.js";
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
/** The landing as far as this document knows: its first view, or the latest with a source. */
export let own: PageView;
/** Whether that has a source, and is to be kept over what is kept. */
let isLater = false;
/** The landing that is kept, as last seen: to ask for it again is a wait for another process. */
let last: PageView | undefined;
/** Whose cookie this page view wrote: once is enough. */
let inCookie = "";

/**
 * Parameters that the address before had as well brought nobody: some sites hand their query on from page to page, and applications write the address they
 * are at anew.
 * @returns whether a campaign, a click or another site brought the visitor to this page view: then it is a landing
 */
export function arrive(view: PageView): boolean {
  own = own || view;
  const isLanding = attempt(() => {
    const page = new URL(view.url);
    const before = new URL(view.referrer || "/", page);
    return (
      before.host !== page.host ||
      (before.search !== page.search &&
        [...page.searchParams].some(([name, value]) => value && (/^utm_/.test(name) || CLICK_IDS.test(name))))
    );
  });
  if (!isLanding) return false;
  own = view;
  return (isLater = true);
}

/** As it may be sent, and kept. */
export function landing(): PageView {
  return (!isLater && attempt(() => sendable(last!))) || sendable(own);
}

/** What is known of earlier pages, and of other tabs; what is too old is nothing. It may be of another version of the tag. */
export function recall(): AllHeld {
  // `until`: localStorage has no end of its own.
  const [id, until, held, start] = attempt(() => JSON.parse(localStorage[keptAs()])) || [];
  const isFresh = until > Date.now();
  visitorId = (attempt(() => cookie(keptAs())) || (isFresh && id) || visitorId).split(".")[0];
  const isTheirs = isFresh && id === visitorId;
  last = isTheirs && start;
  return isTheirs && held;
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
  attempt(() => {
    localStorage[keptAs()] = JSON.stringify([id, until, held, (last = landing())]);
    isLater = false;
  });
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
