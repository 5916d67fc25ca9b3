/** What the account wants to know of each page view, and what its conversions need (docs/conversions-out.md). */
import { allowsAds } from "./consent.js";
import { attempt } from "./guard.js";
import { config } from "./settings.js";

/** As many as the service takes. */
const FIELDS_MAX = 25;
const TEXT_CHARS_MAX = 255;
/** What no database keeps, and the service refuses a whole request for: half a character, which a cut may leave, and U+0000. */
const UNSAFE = /[\0\p{Cs}]/gu;
/** Cookies that hold a click id, or Meta's id of the browser. */
const OF_ADS = /^_(fb|gcl)/;

type Source = (typeof config.custom_data)[number];

/** Read under the names where conversions look for them, unless the account fills these names itself. */
const OF_NETWORKS: readonly Source[] = [
  { name: "ga_client_id", from: "cookie", key: "_ga" },
  { name: "fbp", from: "cookie", key: "_fbp" },
];

const READERS: Readonly<Record<Source["from"], (key: string, url: string) => unknown>> = {
  cookie: (key) => (OF_ADS.test(key) && !allowsAds() ? "" : cookie(key)),
  url_parameter: (key, url) => new URL(url).searchParams.get(key),
  local_storage: (key) => localStorage[key],
  // The latest that was pushed under the key.
  data_layer: (key) => (window.dataLayer as object[]).reduce((latest, entry) => Object(entry)[key] ?? latest, ""),
};

/** @param url as it is sent: what was taken out of it is no custom data either */
export function customData(url: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { name, from, key } of [...OF_NETWORKS, ...config.custom_data].slice(-FIELDS_MAX)) {
    const value = attempt(() => READERS[from](key, url)) ?? "";
    // Objects and functions are no text.
    if (value !== "" && Object(value) !== value) fields[name] = `${value}`.slice(0, TEXT_CHARS_MAX).replace(UNSAFE, "");
  }
  return fields;
}

/** @throws without such a cookie, and when it cannot be decoded */
export function cookie(name: string): string {
  return decodeURIComponent(`; ${document.cookie}`.split(`; ${name}=`)[1]!.split(";")[0]!);
}
