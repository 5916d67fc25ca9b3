/** A replay's report, for a terminal and as JSON. Times leave as ISO text, fields by their names in the API. */
import type { CallDifference, ReplayReport } from "../attribution/replay/replay-window.js";
import { toIso } from "../kernel/clock.js";

const TIME_FIELD = "presented_at";

export function showReplay(report: ReplayReport): unknown {
  const { calls, equal, different, unverifiable, late, corrected, outcomes, differences } = report;
  return {
    calls,
    equal,
    different,
    unverifiable,
    late,
    corrected,
    outcomes,
    differences: differences.map((one) => ({
      call_id: one.callId,
      received_at: toIso(one.receivedAt),
      promo_number: one.promoNumber,
      late: one.late,
      fields: fieldsOf(one),
    })),
  };
}

function fieldsOf({ fields }: CallDifference): { field: string; stored: unknown; recomputed: unknown }[] {
  return fields.map(({ field, stored, recomputed }) => ({
    field,
    stored: readable(field, stored),
    recomputed: readable(field, recomputed),
  }));
}

function readable(field: string, value: unknown): unknown {
  return field === TIME_FIELD && typeof value === "number" ? toIso(value) : value;
}

export function replayTable(report: ReplayReport): string {
  const { calls, equal, different, unverifiable, late, corrected, outcomes, differences } = report;
  const lines: [string, number][] = [
    ["calls", calls],
    ["equal", equal],
    ["different", different],
    ["unverifiable: log purged", unverifiable.log_purged],
    ["unverifiable: source edited since", unverifiable.source_changed],
    ["attributed late", late],
    ["corrected since", corrected],
    ...Object.entries(outcomes)
      .sort()
      .map(([outcome, count]): [string, number] => [`stored as ${outcome}`, count]),
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const table = lines.map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(9)}`);
  const listed = differences.flatMap((one) => ["", ...differenceLines(one)]);
  const rest = different - differences.length;
  return [...table, ...listed, ...(rest > 0 ? ["", `and ${rest} more.`] : []), "", verdict(report)].join("\n");
}

function differenceLines(one: CallDifference): string[] {
  const head = `${one.callId}  ${toIso(one.receivedAt)}  ${one.promoNumber}${one.late ? "  late" : ""}`;
  return [
    head,
    ...fieldsOf(one).map(
      ({ field, stored, recomputed }) =>
        `  ${field}: stored ${JSON.stringify(stored)}, recomputed ${JSON.stringify(recomputed)}`,
    ),
  ];
}

function verdict({ calls, different, unverifiable }: ReplayReport): string {
  const unknown = unverifiable.log_purged + unverifiable.source_changed;
  if (calls === 0) return "There is no call in this window.";
  const tail = unknown === 0 ? "" : ` ${unknown} could not be recomputed.`;
  if (different > 0) return `${different} records are not what the log says.${tail}`;
  if (unknown === calls) return "No record could be recomputed.";
  return unknown === 0 ? "Every record is what the log says." : `Every other record is what the log says.${tail}`;
}
