/** Addresses of the page as they leave the browser: without the fragment, and without click ids where the visitor did not consent to advertising. */
import { allowsAds } from "./consent.js";

/** Two of them, and all fields of an ordinary page, fit into the 16 kB that the service takes. */
const URL_CHARS_MAX = 4_096;
/** gclid, msclkid, wbraid, gad_campaignid, ScCid, li_fat_id …: those of src/attribution/touch.ts (a test holds them side by side), and others named alike. */
const CLICK_IDS = /c(l|lk)?id$|braid$|^gad_|_fat_|epik/i;

/** @throws TypeError without an absolute address */
export function sendable(address: string): string {
  const url = new URL(address);
  url.hash = "";
  // Names as the service reads them, whatever way they are written; what has no click id is not written anew.
  for (const name of [...url.searchParams.keys()]) {
    if (CLICK_IDS.test(name) && !allowsAds()) url.searchParams.delete(name);
  }
  return url.href.slice(0, URL_CHARS_MAX);
}
