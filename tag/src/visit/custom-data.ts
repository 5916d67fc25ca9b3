/** What the account wants to know of each page view, and what its conversions need (docs/conversions-out.md). */
import { attempt } from "./guard.js";
import { allowsAds } from "./page-url.js";
import { config } from "./settings.js";

/** As many as the service takes. */
const FIELDS_MAX = 25;
/** All fields of an ordinary page fit into the 16 kB that the service takes. */
const TEXT_CHARS_MAX = 255;
/** Cookies that hold a click id, or Meta's id of the browser. */
const OF_ADS = /^_(fb|gcl)/;

type Source = (typeof config.custom_data)[number];

/** Read under the names where conversions look for them, unless the account fills these names itself. */
const OF_NETWORKS: readonly Source[] = [
  { name: "ga_client_id", from: "cookie", key: "_ga" },
  { name: "fbp", from: "cookie", key: "_fbp" },
];

/** @param url as it is sent: what was taken out of it is no custom data either */
export function customData(url: string): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {};
  for (const source of [...OF_NETWORKS, ...config.custom_data].slice(-FIELDS_MAX)) {
    const value = attempt(() => read(source, url));
    if (typeof value === "string") {
      // Halves of characters and NUL are refused by the service's database.
      if (value) fields[source.name] = value.slice(0, TEXT_CHARS_MAX).replace(/[\0\p{Cs}]/gu, "");
    } else if (typeof value === "number" || typeof value === "boolean") fields[source.name] = value;
  }
  return fields;
}

function read({ from, key }: Source, url: string): unknown {
  switch (from) {
    case "url_parameter":
      return new URL(url).searchParams.get(key);
    case "cookie":
      return OF_ADS.test(key) && !allowsAds() ? null : cookie(key);
    case "local_storage":
      return localStorage.getItem(key);
    case "data_layer":
      return inDataLayer(key);
  }
}

export function cookie(name: string): string | undefined {
  for (const pair of document.cookie.split("; ")) {
    if (pair.startsWith(`${name}=`)) return decodeURIComponent(pair.slice(name.length + 1));
  }
  return undefined;
}

/** The latest that was pushed under the key; `a.b` also finds `{a: {b}}`. */
function inDataLayer(key: string): unknown {
  let latest: unknown;
  for (const entry of window.dataLayer || []) {
    const fields = entry as Record<string, unknown>;
    const value =
      fields[key] ?? key.split(".").reduce<unknown>((of, part) => (of as typeof fields | undefined)?.[part], fields);
    if (value !== undefined) latest = value;
  }
  return latest;
}
