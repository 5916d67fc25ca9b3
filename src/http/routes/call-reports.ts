/** `GET /v1/reports/{calls,sources,pools,numbers}` and the same as CSV: calls added up, exact at the moment of asking. */
import { z } from "zod";
import type { Principal } from "../../account/api-keys.store.js";
import { callReport } from "../../attribution/reports/call-report.js";
import type { ReportRow, ReportTable } from "../../attribution/reports/report-rows.js";
import { readReportAccount, readReportPools } from "../../attribution/reports/report.store.js";
import { databaseNow } from "../../db/database-now.js";
import { toIso } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import { accountToRead, principalOf } from "../auth.js";
import {
  callReportOut,
  type CallReportQuery,
  callReportQuery,
  type CallReportQuestion,
  readQuestion,
  refused,
  type ReportName,
  REPORTS,
  ROWS_MAX,
  showFigures,
  showRow,
} from "../contract/call-report.js";
import { callReportCsv } from "../contract/call-report-csv.js";
import { poolReportOut } from "../contract/pool-report.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { poolLoads, type ShownLoad } from "../pool-loads.js";
import { reportPage, reportPosition } from "../report-page.js";

/** Each pool's log is read for it: a second or two. */
const POOLS_A_PAGE_MAX = 50;
const POOLS_A_FILE_MAX = 200;

const SUMMARIES: Readonly<Record<ReportName, string>> = {
  calls: "Calls by time, pool and ingress",
  sources: "Calls by channel, source, medium, campaign, landing page and pool",
  pools: "Pools: their calls, utilisation, overflow, horizon and expected misattribution",
  numbers: "Calls by promo number",
};
const DESCRIPTION =
  "Counted exactly as the records stand at the moment of asking, corrections included. Every row and the totals say which share of routed calls no visitor is known for, and which share of the matched ones is expected to be wrong. hour_of_day and day_of_week go with every group_by; landing_page with pool_id alone. Where calls were removed by retention, ranges that begin or end within a quarter of an hour leave out that quarter.";

export function addCallReportRoutes(app: HttpApp, deps: HttpDeps): void {
  for (const report of Object.keys(REPORTS) as ReportName[]) {
    addReport(app, deps, report);
    addCsv(app, deps, report);
  }
}

function addReport(app: HttpApp, deps: HttpDeps, report: ReportName): void {
  app.get(
    `/v1/reports/${report}`,
    {
      config: { access: "read" },
      schema: {
        summary: SUMMARIES[report],
        description: `${DESCRIPTION} group_by: ${REPORTS[report].dimensions.join(", ")}.`,
        tags: ["Reports"],
        querystring: callReportQuery,
        response: { 200: report === "pools" ? poolReportOut : callReportOut },
      },
    },
    async (request) => {
      const { query } = request;
      const list = `report_${report}`;
      const after = query.cursor === undefined ? null : reportPosition(list, query.cursor);
      const to = query.to ?? after?.to;
      const made = await makeReport(deps, principalOf(request), report, { ...query, to });
      const { question, table, timeZone } = made;
      const page = reportPage({
        list,
        rows: table.rows,
        order: question.order,
        to: question.to,
        limit: made.hasLoads ? Math.min(query.limit, POOLS_A_PAGE_MAX) : query.limit,
        after,
        show: (row) => row,
      });
      const loads = await loadsOf(deps, made, page.data);
      return {
        from: toIso(question.from),
        to: toIso(question.to),
        time_zone: timeZone,
        data: page.data.map((row) => ({ ...showRow(row), ...poolOf(made, loads, row) })),
        next_cursor: page.next_cursor,
        totals: showFigures(table.totals),
      };
    },
  );
}

function addCsv(app: HttpApp, deps: HttpDeps, report: ReportName): void {
  app.get(
    `/v1/reports/${report}.csv`,
    {
      config: { access: "read" },
      schema: {
        summary: `${SUMMARIES[report]}, as CSV`,
        description: "All rows; limit and cursor mean nothing here.",
        tags: ["Reports"],
        querystring: callReportQuery,
        response: { 200: { description: "CSV", content: { "text/csv": { schema: z.string() } } } },
      },
    },
    async (request, reply) => {
      const made = await makeReport(deps, principalOf(request), report, request.query);
      const { rows } = made.table;
      if (made.hasLoads && rows.length > POOLS_A_FILE_MAX) {
        throw refused("account_id", `choose an account or a pool: a file holds ${POOLS_A_FILE_MAX} pools at the most`);
      }
      const loads = await loadsOf(deps, made, rows);
      void reply.type("text/csv; charset=utf-8");
      void reply.header(
        "content-disposition",
        `attachment; filename="${report}-${toIso(made.question.from).slice(0, 10)}.csv"`,
      );
      const lines = rows.map((row) => ({ row: showRow(row), pool: poolOf(made, loads, row).pool ?? null }));
      return reply.send(callReportCsv({ question: made.question, lines, hasLoads: made.hasLoads }));
    },
  );
}

interface Made {
  readonly question: CallReportQuestion;
  readonly table: ReportTable;
  readonly timeZone: string;
  /** Rows are pools, and nothing but pools. */
  readonly hasLoads: boolean;
  readonly now: number;
}

/** @throws AppError("invalid_value"), AppError("not_found") for an account there is not */
async function makeReport(
  deps: Pick<HttpDeps, "db">,
  principal: Principal,
  report: ReportName,
  query: CallReportQuery,
): Promise<Made> {
  const now = await databaseNow(deps.db);
  const accountId = accountToRead(principal, query.account_id);
  const question = readQuestion(report, query, now);
  const account = accountId === null ? null : await readReportAccount(deps.db, accountId);
  if (accountId !== null && account === null) throw new AppError("not_found", "There is no such account.");
  const timeZone = query.time_zone ?? account?.timeZone ?? "UTC";
  const hasPools = report === "pools" && question.groupBy.includes("pool_id");
  const poolId = query.pool_id === undefined ? null : query.pool_id;
  const always = hasPools ? await readReportPools(deps.db, { accountId, poolId, limit: ROWS_MAX }) : [];
  const table = await deps.db.transaction((tx) =>
    callReport(tx, {
      ...question,
      accountId,
      currency: account?.currency ?? null,
      timeZone,
      always,
      rowsMax: ROWS_MAX,
    }),
  );
  if (table === null) {
    throw refused(
      "group_by",
      `gives more than ${ROWS_MAX} rows: ask for a shorter range, longer intervals or fewer names`,
    );
  }
  const hasLoads = hasPools && question.interval === null && question.by.length === 0;
  return { question, table, timeZone, hasLoads, now };
}

async function loadsOf(
  deps: Pick<HttpDeps, "db">,
  { hasLoads, question, now }: Made,
  rows: readonly ReportRow[],
): Promise<ReadonlyMap<string, ShownLoad>> {
  if (!hasLoads) return new Map();
  const poolIds = rows.flatMap(({ dimensions }) => dimensions.pool_id ?? []);
  return poolLoads(deps.db, { poolIds, from: question.from, to: Math.min(question.to, now) });
}

function poolOf(made: Made, loads: ReadonlyMap<string, ShownLoad>, row: ReportRow): { pool?: ShownLoad | null } {
  return made.hasLoads ? { pool: loads.get(row.dimensions.pool_id ?? "") ?? null } : {};
}
