/** What a report must say, told from the raw rows of calls and corrections one by one, without cells, spans or SQL sums. */
import type { Queryable } from "../../../src/db/database.js";
import {
  type Bucket,
  type Interval,
  reportCalendar,
  type TimeDimension,
} from "../../../src/attribution/reports/report-calendar.js";
import {
  COUNTS,
  cubeOf,
  type Dimension,
  readReport,
  type ReportGroup,
} from "../../../src/attribution/reports/report.store.js";
import { spansOf } from "../../../src/attribution/reports/report-stretches.js";

export interface Question {
  readonly accountId: string | null;
  readonly from: number;
  readonly to: number;
  readonly timeZone: string;
  readonly interval: Interval | null;
  readonly by: readonly TimeDimension[];
  readonly groupBy: readonly Dimension[];
  readonly where: Readonly<Partial<Record<Dimension, string | null>>>;
}

/** Text of the time and of what was grouped by → sums. */
export type Sums = Readonly<Record<string, Readonly<Record<string, number | string>>>>;

export async function answerOf(db: Queryable, question: Question): Promise<Sums> {
  const { buckets, stretches } = reportCalendar(question);
  const cube = cubeOf([...question.groupBy, ...(Object.keys(question.where) as Dimension[])]);
  if (cube === null) throw new Error("the question cannot be asked");
  const groups = await readReport(db, { ...question, cube, spans: spansOf(stretches), groupsMax: 100_000 });
  return sumsOf(groups, question.groupBy, (group) => timeText(buckets[group.bucket] as Bucket));
}

const timeText = ({ interval, hourOfDay, dayOfWeek }: Omit<Bucket, "from" | "to">): string =>
  `${interval} ${hourOfDay} ${dayOfWeek}`;

function sumsOf(
  groups: readonly ReportGroup[],
  groupBy: readonly Dimension[],
  textOf: (group: ReportGroup) => string,
): Sums {
  return Object.fromEntries(
    groups.map((group) => [
      `${textOf(group)} ${JSON.stringify(groupBy.map((one) => group.dimensions[one]))} ${group.currency}`,
      { ...Object.fromEntries(COUNTS.map((count) => [count, group[count]])), revenue: Number(group.revenue) },
    ]),
  );
}

type Raw = Record<string, unknown> & { id: string; revision: number; received_at: number; account_id: string | null };

/** Everything, as one snapshot has it. */
export async function rawRows(
  db: Queryable,
): Promise<{ calls: Raw[]; corrections: Raw[]; currencies: Map<string, string> }> {
  const calls = await db.query<Raw>({ name: "", text: "select * from call" });
  const corrections = await db.query<Raw>({ name: "", text: "select * from call_correction" });
  const accounts = await db.query<{ id: string; currency: string }>({
    name: "",
    text: "select id, currency from account",
  });
  return { calls, corrections, currencies: new Map(accounts.map(({ id, currency }) => [id, currency])) };
}

export function oracle(raw: Awaited<ReturnType<typeof rawRows>>, question: Question): Sums {
  const corrected = new Map(raw.corrections.map((row) => [`${row["call_id"]} ${row.revision}`, row]));
  const sums: Record<string, Record<string, number>> = {};
  for (const row of raw.calls) {
    const call: Raw = { ...row, ...pick(corrected.get(`${row.id} ${row.revision}`)) };
    if (question.accountId !== null && call.account_id !== question.accountId) continue;
    if (call.received_at < question.from || call.received_at >= question.to) continue;
    const page = call["landing_page"] as string | null;
    call["landing_page"] = page === null ? null : (page.split("#")[0] as string).split("?")[0];
    const { where, groupBy } = question;
    if (Object.entries(where).some(([one, value]) => (call[one] ?? null) !== value)) continue;
    const currency = raw.currencies.get(call.account_id ?? "") ?? null;
    const key = `${localText(call.received_at, question)} ${JSON.stringify(groupBy.map((one) => call[one] ?? null))} ${currency}`;
    sums[key] ??= { ...Object.fromEntries(COUNTS.map((count) => [count, 0])), revenue: 0 };
    const sum = sums[key];
    for (const [name, value] of Object.entries(countsOf(call))) sum[name] = (sum[name] ?? 0) + value;
  }
  // Ten thousandths are not exact in binary.
  for (const sum of Object.values(sums)) sum["revenue"] = Math.round((sum["revenue"] ?? 0) * 10_000) / 10_000;
  return sums;
}

/** What a correction says in any case, and what only one that changed whom the call belongs to. */
const OUTCOME = ["conversion", "revenue"];
const ATTRIBUTION = ["attribution", "confidence", "landing_page", "channel", "source", "medium", "campaign"];

function pick(correction: Raw | undefined): Record<string, unknown> {
  if (correction === undefined) return {};
  const names = correction["attribution_corrected"] === true ? [...OUTCOME, ...ATTRIBUTION] : OUTCOME;
  return Object.fromEntries(names.map((name) => [name, correction[name]]));
}

function countsOf(call: Raw): Record<string, number> {
  const { disposition, attribution, status, confidence } = call as Record<string, unknown>;
  const isJudged = attribution === "matched" && confidence !== null;
  const isOver = ["completed", "busy", "no_answer", "failed", "canceled"].includes(status as string);
  const counts: Record<string, number> = {
    calls: 1,
    routed: Number(disposition === "routed"),
    answered: Number(call["answered_at"] !== null),
    missed: Number(disposition === "routed" && call["answered_at"] === null && isOver),
    talk_ms: Number(call["talk_ms"] ?? 0),
    unattributed: Number(disposition === "routed" && attribution !== "matched"),
    judged: Number(isJudged),
    confidence_ppm: isJudged ? Math.round(Math.fround(confidence as number) * 1_000_000) : 0,
    conversions: Number(call["conversion"] === true),
    revenue: Number(call["revenue"] ?? 0),
  };
  for (const one of ["completed", "busy", "no_answer", "failed", "canceled", "intercepted"])
    counts[one] = Number(status === one);
  for (const one of ["matched", "overflow", "expired", "never_presented", "quarantined", "unattributable"])
    counts[one] = Number(attribution === one);
  return counts;
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** The wall clock of one moment, straight from the zone rules. */
function localText(at: number, { timeZone, interval, by }: Question): string {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
  const date = `${part("year")}-${part("month")}-${part("day")}`;
  const weekday = WEEKDAYS.indexOf(part("weekday")) + 1;
  const offset = part("timeZoneName").replace("GMT", "") || "+00:00";
  const labels = {
    hour: `${date}T${part("hour")}:00${offset}`,
    day: date,
    week: new Date(Date.parse(date) - (weekday - 1) * 86_400_000).toISOString().slice(0, 10),
    month: date.slice(0, 7),
  };
  return timeText({
    interval: interval === null ? null : labels[interval],
    hourOfDay: by.includes("hour_of_day") ? Number(part("hour")) : null,
    dayOfWeek: by.includes("day_of_week") ? weekday : null,
  });
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const two = "2-digit";
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: two,
    day: two,
    hour: two,
    weekday: "short",
    timeZoneName: "longOffset",
  });
  formats.set(timeZone, format);
  return format;
}
