/** Addresses of the page as they leave the browser: without the fragment, and without click ids where the visitor did not consent to advertising. */
import { allowsAds } from "./consent.js";
import { attempt } from "./guard.js";

/** One view of a page, with the address it came from, if any. */
export interface PageView {
  readonly url: string;
  readonly referrer?: string | undefined;
}

/** Four of them, two page views, and all fields of an ordinary page fit into the 16 kB that the service takes. */
const URL_CHARS_MAX = 2_048;
/** gclid, msclkid, wbraid, gad_campaignid, ScCid, li_fat_id …: those of src/attribution/touch.ts (a test holds them side by side), and others named alike. */
export const CLICK_IDS = /.c(l|lk)?id$|braid$|^gad_|_fat_|epik/i;

/** @throws TypeError without an absolute address */
export function sendable({ url, referrer }: PageView): PageView {
  return { url: sendableUrl(url), referrer: attempt(() => sendableUrl(referrer!)) };
}

function sendableUrl(address: string): string {
  const url = new URL(address);
  url.hash = "";
  // Names as the service reads them, whatever way they are written; what has no click id is not written anew.
  for (const [name] of [...url.searchParams]) {
    if (CLICK_IDS.test(name) && !allowsAds()) url.searchParams.delete(name);
  }
  return url.href.slice(0, URL_CHARS_MAX);
}
