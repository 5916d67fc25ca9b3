/** What every ingress needs to route calls, composed of the real parts as the service composes them, with a spool of its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { type Log, silentLog } from "../../src/kernel/log.js";
import { CallLog } from "../../src/routing/call-log.js";
import { DatabaseClock } from "../../src/db/database-clock.js";
import type { RouteCallDeps } from "../../src/routing/route-call.js";
import { RoutingTable } from "../../src/routing/routing-table.js";
import { CallJournal } from "../../src/routing/call-journal.js";
import { Spool } from "../../src/routing/spool.js";
import type { OpenedLater, SpooledEvents, SpoolEntry } from "../../src/routing/spooled-call.js";
import { ids, secrets } from "./world.js";

export interface TestRouting {
  readonly deps: RouteCallDeps;
  readonly table: RoutingTable;
  readonly callLog: CallLog;
  readonly spool: Spool<SpoolEntry>;
  readonly journal: CallJournal<OpenedLater>;
  /** Everything the spool has on disk right now, as text. */
  spooled(): string;
  stop(): Promise<void>;
}

/** Started: the table is full and listens, and what a former life left in `dir` is replayed. Stop it before the database is closed, e.g. in an afterAll of the test file. */
export async function startRouting(
  db: Database,
  log: Log = silentLog,
  dir = mkdtempSync(join(tmpdir(), "ringmatch-spool-")),
): Promise<TestRouting> {
  const spool = new Spool<SpoolEntry>(dir);
  const table = new RoutingTable({ database: db, log, onChange: () => undefined });
  await table.start();
  const journal = new CallJournal<OpenedLater>(dir, (path) => spool.adopt(path));
  const eventJournal = new CallJournal<SpooledEvents>(dir, (path) => spool.adoptLast(path), "events");
  const shared = { db, secrets, ids, clock: systemClock, log };
  const callLog = new CallLog({ ...shared, openingDb: db, spool, journal, eventJournal });
  callLog.start();
  const databaseClock = new DatabaseClock(systemClock);
  return {
    deps: { db, secrets, ids, table, callLog, databaseClock, clock: systemClock, log },
    table,
    callLog,
    spool,
    journal,
    spooled: () =>
      readdirSync(dir)
        .map((name) => readFileSync(join(dir, name), "utf8"))
        .join(""),
    stop: async () => {
      await table.stop();
      await callLog.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
