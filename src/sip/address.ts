/**
 * Whom a header (From, To, P-Asserted-Identity, Diversion …) or a request URI names, read for its telephone number. Headers are lists of name-addr or
 * addr-spec (RFC 3261 §20); the number is the user part of a SIP URI or a tel URI (RFC 3966). What does not parse is left out, never an error.
 */
import type { E164 } from "../telephony/e164.js";
import { normalizeNumber } from "../telephony/e164.js";
import { isWithheldNumber } from "../telephony/withheld-number.js";
import { parseNameAddr } from "./edge/name-addr.js";
import { splitList } from "./edge/sip-message.js";

/** The little of a request that is read for its facts. */
export interface InviteView {
  readonly uri: string;
  get(name: string): string | undefined;
}

export interface Address {
  /** User part or tel number: unescaped, without parameters and password. Null when the URI has none. */
  readonly user: string | null;
  /** Lower case, without port; empty for a tel URI. */
  readonly host: string;
  /** First value of a parameter: of the user part or tel number, else of the URI, else of the header. Null when missing or empty. */
  param(name: string): string | null;
}

/** Every element of a header that can be read, in order. */
export function readAddresses(header: string | undefined): Address[] {
  if (header === undefined) return [];
  return splitList(header).flatMap((element) => {
    const party = parseNameAddr(element);
    const address = party === null ? null : readUri(party.uri);
    if (party === null || address === null) return [];
    const headerParam = (name: string): string | null => unquoted(party.params.get(name) ?? "");
    return [{ ...address, param: (name: string) => address.param(name) ?? headerParam(name) }];
  });
}

/** Null for a URI that is neither sip, sips nor tel. */
export function readUri(uri: string): Address | null {
  const [, telNumber, telParams] = /^tel:([^;?]*)([^?]*)/i.exec(uri) ?? [];
  if (telNumber !== undefined) {
    return { user: userOf(telNumber), host: "", param: (name) => paramIn(telParams ?? "", name) };
  }
  const [, userInfo, hostPort, uriParams] = /^sips?:(?:([^@]*)@)?([^;?]*)([^?]*)/i.exec(uri) ?? [];
  if (hostPort === undefined) return null;
  const [, user, userParams] = /^([^;:]*)([^:]*)/.exec(userInfo ?? "") ?? [];
  return {
    user: userOf(user ?? ""),
    host: hostPort.replace(/:\d*$/, "").toLowerCase(),
    param: (name) => paramIn(userParams ?? "", name) ?? paramIn(uriParams ?? "", name),
  };
}

/**
 * A local number counts in its phone-context when that is a prefix (`8885550100;phone-context=+1`, RFC 3966 §5.1.5), else in the country. The routing
 * number of a ported one (`;npdi;rn=`, RFC 4694) is where it lives, not what was dialled.
 */
export function numberOf(address: Address | null, country: string): E164 | null {
  const user = address?.user ?? null;
  if (address === null || user === null) return null;
  const context = unescaped(address.param("phone-context") ?? "");
  const inContext = context.startsWith("+") && !user.startsWith("+") ? normalizeNumber(context + user, country) : null;
  return inContext ?? normalizeNumber(user, country);
}

/** RFC 3323 §4.1.1.3: From of somebody who wants to be nobody, by name or by a number that spells it. */
export function isAnonymous({ user, host }: Address): boolean {
  return host === "anonymous.invalid" || user?.toLowerCase() === "anonymous" || isWithheldNumber(user ?? "");
}

function userOf(text: string): string | null {
  return text === "" ? null : unescaped(text);
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    // A stray % is no escape; the text as it stands is the best we have.
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** @param text `;name=value;flag` as it stands in a URI, where nothing is quoted */
function paramIn(text: string, name: string): string | null {
  for (const part of text.split(";")) {
    const [key = "", value = ""] = part.split("=");
    if (key.trim().toLowerCase() === name) return unquoted(value);
  }
  return null;
}

function unquoted(text: string): string | null {
  const bare = text.trim().replace(/^"(.*)"$/, "$1");
  return bare === "" ? null : bare;
}
