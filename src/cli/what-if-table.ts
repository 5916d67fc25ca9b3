/** A what-if as a person reads it, and as JSON: what happened, beside the pool as it is set and the settings tried. */
import type { WhatIfAnswer } from "./what-if.js";

export function showWhatIf({ pool, seed, pageTimeS, past, actualLockedAtPeak, asSet, tried }: WhatIfAnswer): unknown {
  return {
    pool_id: pool.id,
    seed,
    page_time_s: pageTimeS,
    actual: {
      calls: totalOf(past.outcomes),
      callers_known: past.calls.length,
      outcomes: past.outcomes,
      allocations: past.allocations,
      locked_at_peak: actualLockedAtPeak,
    },
    as_set: showPlay(asSet),
    tried: showPlay(tried),
  };
}

function showPlay(play: WhatIfAnswer["tried"]): unknown {
  return {
    size: play.size,
    session_lifetime_s: play.lifetimeS,
    retention_s: play.retentionS,
    order: play.order,
    calls: play.calls,
    same_visitor: play.sameVisitor,
    other_visitor: play.otherVisitor,
    overflow: play.overflow,
    expired: play.expired,
    unseen: play.unseen,
    visits: play.visits,
    overflow_share: play.overflowShare,
    locked_at_peak: play.lockedAtPeak,
  };
}

export function whatIfTable(answer: WhatIfAnswer): string {
  const { past, actualLockedAtPeak, asSet, tried } = answer;
  const { outcomes } = past;
  const lost = (outcomes.never_presented ?? 0) + (outcomes.quarantined ?? 0) + (outcomes.unattributable ?? 0);
  const rows: string[][] = [
    ["", "actual", "as set", "tried"],
    ["numbers for visitors", "", String(asSet.size), String(tried.size)],
    ["session lifetime, s", "", String(asSet.lifetimeS), String(tried.lifetimeS)],
    ["retention, s", "", String(asSet.retentionS), String(tried.retentionS)],
    ["order", "", asSet.order, tried.order],
    ["calls with a known caller", String(past.calls.length), String(asSet.calls), String(tried.calls)],
    ["  matched to the caller", String(outcomes.matched ?? 0), String(asSet.sameVisitor), String(tried.sameVisitor)],
    ["  matched to another", "?", String(asSet.otherVisitor), String(tried.otherVisitor)],
    ["  overflow", "0", String(asSet.overflow), String(tried.overflow)],
    ["  expired", "0", String(asSet.expired), String(tried.expired)],
    ["  last visit too long ago", "0", String(asSet.unseen), String(tried.unseen)],
    ["calls with an unknown caller", "", "", ""],
    ["  overflow", String(outcomes.overflow ?? 0), "", ""],
    ["  expired", String(outcomes.expired ?? 0), "", ""],
    ["  others", String(lost), "", ""],
    ["numbers locked at peak", String(actualLockedAtPeak), String(asSet.lockedAtPeak), String(tried.lockedAtPeak)],
    ["visitors who found none", "?", share(asSet.overflowShare), share(tried.overflowShare)],
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const table = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart((widths[i] ?? 0) + 2)))
      .join("")
      .trimEnd(),
  );
  return [...table, "", NOTE].join("\n");
}

const NOTE =
  "The visitor that a record was matched to is taken for its caller; visitors who found no number are not in the log. See docs/replay.md.";

function share(value: number | null): string {
  return value === null ? "-" : `${(value * 100).toFixed(2)} %`;
}

function totalOf(outcomes: Readonly<Record<string, number>>): number {
  return Object.values(outcomes).reduce((sum, count) => sum + count, 0);
}
