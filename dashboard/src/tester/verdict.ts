/** Would this number be swapped, and if not, why. Pure but for reading the page: the tag's own run, the account's facts, one candidate. */
import type { Candidate, Unread, Where } from "./candidates.js";
import type { TagRun } from "./run-tag.js";

/** What the service knows of the account. Null: not known without an API key. */
export interface TagFacts {
  readonly tagKey: string;
  /** Of the service, as pages load the tag from it. */
  readonly serviceOrigin: string;
  /** What the tag looks for, E.164. */
  readonly numbers: readonly string[];
  readonly discovered: readonly string[];
  readonly ignored: readonly string[];
  /** The account wants these left alone. */
  readonly notToReplace: readonly string[];
  /** Destinations with an automatic pool, and those with campaign pools alone. */
  readonly pools: { readonly automatic: readonly string[]; readonly campaign: readonly string[] } | null;
  /** Empty: any. */
  readonly allowedOrigins: readonly string[];
  readonly paused: boolean;
  readonly slotsOnly: boolean;
}

export type Left =
  | "not_a_number"
  | "not_tracked"
  | "discovered"
  | "ignored_destination"
  | "not_to_replace"
  | "no_pool"
  | "part_of_more"
  | "slots_only"
  | "ignored_element"
  | "editable"
  | "input"
  | "code"
  | "other_attribute"
  | "left_by_tag"
  | Unread;

export type Verdict =
  | {
      readonly kind: "swapped";
      readonly how: "text" | "split" | "link" | "attribute" | "slot";
      /** Only visitors of these pools' campaigns have one. */
      readonly campaignsOnly: boolean;
      /** The page's framework takes it over first. */
      readonly isLater: boolean;
    }
  | { readonly kind: "left"; readonly why: Left };

const INPUTS = "input,textarea,select,datalist";
const EDITABLE = "[contenteditable]:not([contenteditable=false])";

export function verdictOn(candidate: Candidate, run: TagRun, facts: TagFacts): Verdict {
  const { number, isJoined, where } = candidate;
  if (number === null) return left("not_a_number");
  const isWritten = isChanged(candidate, run, run.at);
  const isLater = !isWritten && isChanged(candidate, run, run.later);
  if (!isWritten && !isLater) {
    const isRead = where.kind === "text" || where.kind === "attribute";
    return left((isRead && isJoined ? "part_of_more" : statusOf(number, facts)) ?? placeReason(candidate, facts));
  }
  const swapped = { kind: "swapped", how: howOf(where), campaignsOnly: false, isLater } as const;
  if (facts.pools === null || facts.pools.automatic.includes(number)) return swapped;
  return facts.pools.campaign.includes(number) ? { ...swapped, campaignsOnly: true } : left("no_pool");
}

/** Something else stands where the number stood. */
function isChanged({ where, element, parts }: Candidate, run: TagRun, now: TagRun["at"]): boolean {
  if (where.kind === "slot") return element !== null && run.filled.has(element);
  return parts.some(({ node, start, end }) => {
    const before = run.before.get(node) ?? "";
    const after = now.get(node) ?? before;
    return before.length === after.length ? before.slice(start, end) !== after.slice(start, end) : true;
  });
}

/** Null: the tag looks for it. */
function statusOf(number: string, facts: TagFacts): Left | null {
  if (facts.notToReplace.includes(number)) return "not_to_replace";
  if (facts.numbers.includes(number)) return null;
  if (facts.ignored.includes(number)) return "ignored_destination";
  return facts.discovered.includes(number) ? "discovered" : "not_tracked";
}

function placeReason({ where, element }: Candidate, { slotsOnly }: TagFacts): Left {
  if (where.kind !== "text" && where.kind !== "link" && where.kind !== "slot" && where.kind !== "attribute")
    return where.kind;
  if (element?.closest("[data-ringmatch-ignore]")) return "ignored_element";
  if (element?.closest(EDITABLE)) return "editable";
  if (element?.closest(INPUTS)) return "input";
  if (element?.closest("head")) return "head";
  if (element?.closest("code")) return "code";
  if (where.kind === "attribute" && !["aria-label", "title", "alt"].includes(where.name)) return "other_attribute";
  return slotsOnly && where.kind !== "slot" ? "slots_only" : "left_by_tag";
}

function howOf(where: Where): "text" | "split" | "link" | "attribute" | "slot" {
  if (where.kind === "text") return where.isSplit ? "split" : "text";
  return where.kind === "link" || where.kind === "slot" ? where.kind : "attribute";
}

function left(why: Left): Verdict {
  return { kind: "left", why };
}
