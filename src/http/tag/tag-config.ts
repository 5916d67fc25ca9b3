/** What an account's pages are told, from what is in memory of it and its static numbers. Called by the tag's cache. Pure. */
import type { TagSettings } from "../../account/tag-settings.js";
import type { DirectoryAccount } from "../../pool/directory.js";
import type { TagSource } from "../../pool/tag-sources.store.js";
import type { SourceNumber, TagConfig } from "../contract/tag-config.js";

/** 75 kB of numbers: more than any site has, and a page must load them all. The oldest ones stay. */
export const TAG_NUMBERS_MAX = 5_000;
/** A campaign's static number is chosen by hand; these are 30 kB in every page. */
export const TAG_SOURCES_MAX = 200;

export interface TagConfigInput {
  readonly tagKey: string;
  /** 0: a draft. */
  readonly revision: number;
  readonly settings: TagSettings;
  readonly known: Pick<DirectoryAccount, "account" | "tag" | "destinations">;
  /** TAG_SOURCES_MAX at most. */
  readonly sources: readonly TagSource[];
}

/** @returns `cut`: how many tracked destinations pages do not look for, because there are too many */
export function tagConfigOf(input: TagConfigInput): { config: TagConfig; cut: number } {
  const { tagKey, revision, settings, known, sources } = input;
  const { account, tag, destinations } = known;
  const except = new Set(settings.numbersNotToReplace);
  const numbers = [...destinations.values()]
    .filter(({ number, status }) => status === "tracked" && !except.has(number))
    .map(({ number }) => number);
  return {
    config: {
      key: tagKey,
      revision,
      paused: tag.isPaused,
      numbers: numbers.slice(0, TAG_NUMBERS_MAX),
      slots_only: settings.slotsOnly,
      discover: account.autoCreatePools,
      sources: sources.map(sourceOf),
      consent: account.consent,
      visitor_days: account.visitorLifetimeDays,
      custom_data: settings.customData,
    },
    cut: Math.max(0, numbers.length - TAG_NUMBERS_MAX),
  };
}

/** Only what can be read from a page's URL: its name is the account's business, and click ids belong to visitors. */
function sourceOf({ destination, number, touch }: TagSource): SourceNumber {
  return {
    destination,
    number,
    touch: Object.fromEntries(Object.entries(touch).filter(([name]) => name.startsWith("utm_"))),
  };
}

/** JSON that stays data wherever a script is put: in an element too, and in engines before ES2019 (U+2028, U+2029 end lines there). */
export function jsonInScript(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
