/** Registers with the leader what keeps the cells of reports in step with the calls. A report is exact without it, and slower. */
import { refreshReportCells, thinReportMarks } from "../attribution/reports/report-cells.store.js";
import type { Database } from "../db/database.js";
import type { Leader } from "./leader.js";

/** A quarter that is over is read from its calls until then; so many calls are soon read. */
const EVERY_MS = 30_000;

export function keepReportCells(leader: Pick<Leader, "runEvery">, db: Database): void {
  leader.runEvery({ name: "report cells", everyMs: EVERY_MS, work: (signal) => countReports(db, signal) });
}

/** All that is due, one transaction after another. */
export async function countReports(db: Database, signal: Pick<AbortSignal, "aborted">): Promise<void> {
  await thinReportMarks(db);
  while (!signal.aborted && (await refreshReportCells(db)) > 0);
}
