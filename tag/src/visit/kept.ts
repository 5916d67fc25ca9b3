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

interface Stored {
  readonly id: string;
  /** Of the last page view: localStorage has no end of its own. */
  readonly at: number;
  readonly held: Readonly<Record<string, Held>>;
}

const DAY_S = 86_400;
/** More destinations than any one visitor sees; those that were seen last stay. */
const HELD_MAX = 50;

let visitorId = "";

/** What is known of earlier pages, and of other tabs; whatever is too old or broken is nothing. */
export function recall(): Readonly<Record<string, Held>> {
  const stored = attempt(() => JSON.parse(localStorage.getItem(name()) as string) as Stored | null);
  const isFresh = stored && stored.held && Date.now() - stored.at < config.visitor_days * DAY_S * 1_000;
  const [id] = /^vis_\w+/.exec(attempt(() => cookie(name())) || (isFresh ? stored.id : "")) || [];
  if (id) visitorId = id;
  return isFresh && stored.id === visitorId ? stored.held : {};
}

/** Made here rather than by the service: two tabs that open at once are one visitor. 20 digits of base 36, as its documentation wants. */
export function visitor(): string {
  if (!visitorId) {
    visitorId = "vis_";
    for (const byte of crypto.getRandomValues(new Uint8Array(20))) visitorId += (byte % 36).toString(36);
  }
  return visitorId;
}

export function keep(id: string, held: ReadonlyMap<string, Held>): void {
  const at = Date.now();
  visitorId = id;
  // The time makes each value another, so that reading it back tells whether this very one was taken.
  attempt(() => writeCookie(`${id}.${at.toString(36)}`, config.visitor_days * DAY_S));
  attempt(() => {
    localStorage.setItem(name(), JSON.stringify({ id, at, held: Object.fromEntries([...held].slice(-HELD_MAX)) }));
  });
}

export function forget(): void {
  visitorId = "";
  attempt(() => writeCookie("", 0));
  attempt(() => localStorage.removeItem(name()));
}

function name(): string {
  return `ringmatch_${config.key}`;
}

/** At the widest domain that takes it, so that subdomains share it; browsers refuse public suffixes. Without a value: removed from all of them. */
function writeCookie(value: string, maxAgeS: number): void {
  const labels = location.hostname.split(".");
  for (let from = labels.length - 2; from >= -1; from--) {
    const domain = from < 0 ? "" : `;domain=${labels.slice(from).join(".")}`;
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `${name()}=${value};path=/;max-age=${maxAgeS};samesite=lax${secure}${domain}`;
    if (value && document.cookie.includes(value)) return;
  }
}
