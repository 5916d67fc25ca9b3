/** What a page view leaves behind, from what the page sent: cut, cleaned, and without click ids when the visitor declined ads. Called by presentations. */
import { mayKeepClickIds, urlWithoutClickIds, withoutClickIds } from "../attribution/click-ids.js";
import { touchOf } from "../attribution/touch.js";
import { type PresentationsBody, URL_CHARS_MAX } from "./contract/presentation.js";
import { safeTextOf } from "./safe-text.js";

export interface StoredVisit {
  readonly touch: Readonly<Record<string, string>>;
  readonly customData: Readonly<Record<string, unknown>>;
  readonly context: Readonly<Record<string, unknown>>;
}

export function storedVisitOf(body: PresentationsBody): StoredVisit {
  const isDeclined = !mayKeepClickIds(body.consent ?? null);
  const touch = readTouch(body);
  const customData = body.custom_data ?? {};
  return {
    touch: isDeclined ? withoutClickIds(touch) : touch,
    customData: isDeclined ? withoutClickIds(customData) : customData,
    context: readContext(body, isDeclined ? urlWithoutClickIds : (url) => url),
  };
}

/** What is decoded from a URL may be anything; what is cut may end in half a character. */
function readTouch({ page, touch: given }: PresentationsBody): Record<string, string> {
  const own = Object.entries(touchOf({ url: page.url, given: given ?? undefined }));
  // Never mixed: a page with a source of its own has nothing of an earlier one.
  const touch = own.length > 0 || !page.landing ? own : Object.entries(touchOf({ url: page.landing.url, given: {} }));
  const safe: Record<string, string> = {};
  for (const [name, value] of touch) safe[name] = safeTextOf(value);
  return safe;
}

function readContext(body: PresentationsBody, clean: (url: string) => string): Record<string, unknown> {
  const context = readAddress(body.page, clean);
  if (body.page.landing) context["landing"] = readAddress(body.page.landing, clean);
  if (body.consent) context["consent"] = body.consent;
  return context;
}

function readAddress(
  { url, referrer }: Pick<PresentationsBody["page"], "url" | "referrer">,
  clean: (url: string) => string,
): Record<string, unknown> {
  const address: Record<string, unknown> = { url: storedUrl(clean(url)) };
  if (referrer) address["referrer"] = storedUrl(clean(referrer));
  return address;
}

/** What browsers run when it is followed, however it is spaced (WHATWG URL: control characters and spaces before it, tabs and line ends within, mean nothing). */
const RUNS = /^[\0- ]*(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|v\s*b\s*s\s*c\s*r\s*i\s*p\s*t|d\s*a\s*t\s*a)\s*:/i;

/**
 * A fragment never left the browser before the tag did it, and may hold what the page keeps there for itself. No page has an address that runs, and whoever
 * gets the record (a CRM, a dashboard) makes a link of it: empty.
 */
export function storedUrl(url: string): string {
  const [withoutFragment = ""] = url.split("#", 1);
  return RUNS.test(url) ? "" : safeTextOf(withoutFragment.slice(0, URL_CHARS_MAX));
}
