/** Addresses of the page as they leave the browser: without the fragment, and without click ids where the visitor did not consent to advertising. */
import { allows } from "./consent.js";

/** The service keeps no more. */
const URL_CHARS_MAX = 2_048;
/** The click ids of src/attribution/touch.ts; a test holds them side by side. */
const CLICK_IDS = /^([gw]braid|[gd]clid|gad_\w+|fbclid|msclkid|ttclid|li_fat_id|twclid|rdt_cid|epik|ScCid)$/;

/** Click ids, and what advertising networks know the browser by. */
export function allowsAds(): boolean {
  return allows("ad_storage") && allows("ad_user_data");
}

/** @param text absolute, or empty */
export function sendable(text: string): string {
  if (!text) return text;
  const url = new URL(text);
  const { searchParams } = url;
  url.hash = "";
  // Names as the service reads them, whatever way they are written; what has no click id is not written anew.
  if (!allowsAds()) for (const name of [...searchParams.keys()]) if (CLICK_IDS.test(name)) searchParams.delete(name);
  return url.href.slice(0, URL_CHARS_MAX);
}
