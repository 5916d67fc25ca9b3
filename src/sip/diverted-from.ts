/**
 * Who forwarded the call to the number we were called at: the most recent diverting number of Diversion (RFC 5806 §4: newest first), or, without that
 * header, the History-Info entry before the last (RFC 7044 §5: the last is where the call was sent, the one before where it came from). Only trusted
 * trunks are asked; what cannot be read is ignored. Called by invite-facts.ts.
 */
import type { Trunk } from "../account/trunks.store.js";
import type { E164 } from "../telephony/e164.js";
import { type Address, type InviteView, isAnonymous, numberOf, readAddresses, readUri } from "./address.js";
import { privacyOf } from "./caller-identity.js";
import { parseNameAddr } from "./edge/name-addr.js";
import { splitList } from "./edge/sip-message.js";

/** @param called the promo number: a carrier that only moved the call on within itself leaves it in History-Info, and that is no diversion */
export function divertedFrom(invite: InviteView, input: { trunk: Trunk; called: string }): E164 | null {
  const { trunk, called } = input;
  if (!trunk.trustIdentity) return null;
  const diversion = invite.get("Diversion");
  if (diversion !== undefined) return latestDiversion(diversion, trunk.defaultCountry);
  // RFC 7044 §10.1: these two ask that nobody learns of the entries.
  const privacy = privacyOf(invite);
  if (privacy.has("history") || privacy.has("header")) return null;
  const number = numberOf(beforeLast(invite.get("History-Info") ?? ""), trunk.defaultCountry);
  return number === called ? null : number;
}

/** A party that hides itself is null, and not the one that forwarded before it. */
function latestDiversion(header: string, country: string): E164 | null {
  for (const address of readAddresses(header)) {
    if (isAnonymous(address) || isHidden(address)) return null;
    const number = numberOf(address, country);
    if (number !== null) return number;
  }
  return null;
}

/** RFC 5806 §4: `privacy=full` and `privacy=uri` withhold the number, `name` and `off` do not. */
function isHidden(address: Address): boolean {
  const privacy = address.param("privacy")?.toLowerCase();
  return privacy === "full" || privacy === "uri";
}

interface Entry {
  readonly index: readonly number[];
  readonly uri: string;
}

function beforeLast(header: string): Address | null {
  const entries = splitList(header).flatMap(entryOf).sort(byIndex);
  const uri = entries.at(-2)?.uri;
  // An entry withholds itself by an escaped header in its URI (RFC 7044 §10.1).
  if (uri === undefined || /[?&]privacy=[^&]*(?:history|header)/i.test(uri)) return null;
  return readUri(uri);
}

function entryOf(element: string): Entry[] {
  const party = parseNameAddr(element);
  const index = party?.params.get("index") ?? null;
  if (party === null || index === null || !/^\d{1,4}(?:\.\d{1,4})*$/.test(index)) return [];
  return [{ index: index.split(".").map(Number), uri: party.uri }];
}

function byIndex(a: Entry, b: Entry): number {
  for (const [level, number] of a.index.entries()) {
    const other = b.index[level];
    if (other === undefined) return 1;
    if (number !== other) return number - other;
  }
  return a.index.length - b.index.length;
}
