/**
 * The golden cases of attribution as one table, run against the pure rule and against PostgreSQL (test/attribution/golden-cases.test.ts). Times are
 * relative to "now", the moment calls arrive, because the database's clock judges a call's arrival.
 */
import type { AttributionOutcome } from "../../src/attribution/match.js";
import type { NewPool } from "../../src/pool/pools.store.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** n1 and n2 are the pool's numbers for visitors in the order they are given, "overflow" its shared number, "other" is nobody's. */
export type NumberName = "n1" | "n2" | "overflow" | "other";

export type GoldenStep =
  /** The visitor's page asks for a number at `at` and gets this one (null: keeps the original). */
  | { readonly do: "present"; readonly visitor: string; readonly at: number; readonly gets: NumberName | null }
  | { readonly do: "quarantine"; readonly number: "n1" | "n2" }
  | { readonly do: "delete_pool" }
  | {
      readonly do: "call";
      readonly number: NumberName;
      readonly outcome: AttributionOutcome;
      readonly visitor?: string;
      readonly disposition?: "routed" | "intercepted" | "unknown_number";
    };

export interface GoldenCase {
  readonly name: string;
  readonly size: 1 | 2;
  readonly settings?: Partial<NewPool>;
  readonly steps: readonly GoldenStep[];
  /** A presentation's clock is ahead of the call's: sequence and time disagree, and only the sequence is right. */
  readonly clockAhead?: true;
}

const present = (visitor: string, at: number, gets: NumberName | null): GoldenStep => ({
  do: "present",
  visitor,
  at,
  gets,
});
const matched = (number: NumberName, visitor: string): GoldenStep => ({
  do: "call",
  number,
  outcome: "matched",
  visitor,
  disposition: "routed",
});
const unmatched = (number: NumberName, outcome: AttributionOutcome): GoldenStep => ({
  do: "call",
  number,
  outcome,
  disposition: "routed",
});

export const GOLDEN_CASES: readonly GoldenCase[] = [
  {
    name: "A only, call 5 minutes later goes to A",
    size: 1,
    steps: [present("A", -5 * MINUTE, "n1"), matched("n1", "A")],
  },
  {
    name: "A, then B after A's lifetime: call goes to B",
    size: 1,
    steps: [present("A", -60 * MINUTE, "n1"), present("B", -20 * MINUTE, "n1"), matched("n1", "B")],
  },
  {
    name: "B is refused A's number while A's lock holds and gets another one: each call goes to its own visitor",
    size: 2,
    steps: [present("A", -10 * MINUTE, "n1"), present("B", -5 * MINUTE, "n2"), matched("n1", "A"), matched("n2", "B")],
  },
  {
    name: "B is refused A's number and sees the overflow number: calls to it belong to nobody, calls to A's still to A",
    size: 1,
    settings: { overflow: "overflow_number" },
    steps: [
      present("A", -10 * MINUTE, "n1"),
      present("B", -5 * MINUTE, "overflow"),
      matched("n1", "A"),
      unmatched("overflow", "overflow"),
    ],
  },
  {
    name: "B is refused A's number and keeps the original: calls go to A",
    size: 1,
    steps: [present("A", -10 * MINUTE, "n1"), present("B", -5 * MINUTE, null), matched("n1", "A")],
  },
  {
    name: "A on day 1, nobody after, call on day 2 goes to A",
    size: 1,
    steps: [present("A", -DAY, "n1"), matched("n1", "A")],
  },
  {
    name: "call just before A's 72 hours are over goes to A",
    size: 1,
    steps: [present("A", -72 * HOUR + MINUTE, "n1"), matched("n1", "A")],
  },
  {
    name: "call 72 hours and a second after A goes to nobody",
    size: 1,
    steps: [present("A", -72 * HOUR - 1_000, "n1"), unmatched("n1", "expired")],
  },
  {
    name: "a call to the overflow number goes to nobody",
    size: 1,
    settings: { overflow: "overflow_number" },
    steps: [unmatched("overflow", "overflow")],
  },
  {
    name: "A comes back: same number, and the 72 hours start again",
    size: 2,
    steps: [present("A", -100 * HOUR, "n1"), present("A", -40 * HOUR, "n1"), matched("n1", "A")],
  },
  {
    name: "A comes back after B was given A's number: A gets another one, and each call goes to its own visitor",
    size: 2,
    steps: [
      present("A", -10 * HOUR, "n1"),
      present("C", -9 * HOUR, "n2"),
      present("B", -8 * HOUR, "n1"),
      present("A", -7 * HOUR, "n2"),
      matched("n1", "B"),
      matched("n2", "A"),
    ],
  },
  {
    name: "A comes back after the retention: a new presentation, and calls go to A",
    size: 1,
    steps: [present("A", -80 * HOUR, "n1"), present("A", -HOUR, "n1"), matched("n1", "A")],
  },
  {
    name: "the number is presented to B at the very instant of the call, just before it: B",
    size: 1,
    steps: [present("A", -HOUR, "n1"), present("B", 0, "n1"), matched("n1", "B")],
  },
  {
    name: "the number is presented to B just after the call: A",
    size: 1,
    steps: [present("A", -HOUR, "n1"), matched("n1", "A"), present("B", 0, "n1"), matched("n1", "B")],
  },
  {
    name: "B's presentation was committed before the call though its clock says later: B",
    size: 1,
    clockAhead: true,
    steps: [present("A", -HOUR, "n1"), present("B", 2_000, "n1"), matched("n1", "B")],
  },
  {
    name: "the number goes to quarantine between view and call: intercepted, attributed to nobody",
    size: 1,
    steps: [
      present("A", -5 * MINUTE, "n1"),
      { do: "quarantine", number: "n1" },
      { do: "call", number: "n1", outcome: "quarantined", disposition: "intercepted" },
    ],
  },
  {
    name: "the pool is deleted between view and call: the draining number still goes to A",
    size: 1,
    steps: [present("A", -5 * MINUTE, "n1"), { do: "delete_pool" }, matched("n1", "A")],
  },
  {
    name: "the pool is deleted during the call: the record stays A's",
    size: 1,
    steps: [present("A", -5 * MINUTE, "n1"), matched("n1", "A"), { do: "delete_pool" }],
  },
  {
    name: "the pool is deleted and nobody was ever presented the number: intercepted",
    size: 1,
    steps: [{ do: "delete_pool" }, { do: "call", number: "n1", outcome: "quarantined", disposition: "intercepted" }],
  },
  {
    name: "a number that nobody was presented: routed, attributed to nobody",
    size: 1,
    steps: [unmatched("n1", "never_presented")],
  },
  {
    name: "a number that is not ours: unknown",
    size: 1,
    steps: [{ do: "call", number: "other", outcome: "unattributable", disposition: "unknown_number" }],
  },
];
