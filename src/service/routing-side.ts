/** What every ingress shares: the routing table, the call log with its spool, and who is told when the database says something changed. */
import { DatabaseClock } from "../db/database-clock.js";
import { databaseNow } from "../db/database-now.js";
import type { IdSource } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";
import { createAvailableWatch } from "../pool/available-watch.js";
import { Directory } from "../pool/directory.js";
import type { NumberSchedule } from "../pool/number-moves.js";
import { CallJournal } from "../routing/call-journal.js";
import { CallLog } from "../routing/call-log.js";
import type { RouteCallDeps } from "../routing/route-call.js";
import { RoutingTable } from "../routing/routing-table.js";
import { Spool } from "../routing/spool.js";
import type { OpenedLater, SpooledEvents, SpoolEntry } from "../routing/spooled-call.js";
import type { Ambient } from "./ambient.js";
import type { Infrastructure } from "./infrastructure.js";

/** Tables that pages' answers are made of; static numbers stand in the tag, which is made anew when the directory is. */
const IN_DIRECTORY: ReadonlySet<string> = new Set(["account", "destination", "pool", "tag", "static_number"]);

export type Routing = Awaited<ReturnType<typeof startRouting>>;

export async function startRouting(input: {
  infrastructure: Infrastructure;
  ids: IdSource;
  secrets: Secrets;
  ambient: Ambient;
  schedule: NumberSchedule;
}) {
  const { infrastructure, ids, secrets, ambient, schedule } = input;
  const { db, openingDb, dataDir, stack } = infrastructure;
  const { clock, log } = ambient;
  const directory = new Directory(db);
  const listeners: ((what: string | null) => void)[] = [];
  const table = new RoutingTable({
    database: db,
    log,
    onChange: (what, accountId) => {
      if (what === null || IN_DIRECTORY.has(what)) directory.changed(accountId);
      for (const listener of listeners) listener(what);
    },
  });
  await table.start();
  stack.push("routing table", () => table.stop());
  const spoolDir = `${dataDir.path}/spool`;
  const spool = new Spool<SpoolEntry>(spoolDir);
  // Calls that rang when a former life was killed.
  const journal = new CallJournal<OpenedLater>(spoolDir, (path) => spool.adopt(path));
  // What happened to them, and to calls in the spool.
  const eventJournal = new CallJournal<SpooledEvents>(spoolDir, (path) => spool.adoptLast(path), "events");
  const availableWatch = createAvailableWatch({ db, schedule, log });
  stack.push("watch of available numbers", () => availableWatch.settle());
  const shared = { db, secrets, ids, availableWatch, clock, log };
  const callLog = new CallLog({ ...shared, openingDb, spool, journal, eventJournal });
  stack.push("call log", () => callLog.stop());
  const databaseClock = new DatabaseClock(clock);
  const askedMs = clock.monotonicMs();
  const startedAt = await databaseNow(db);
  databaseClock.seen(startedAt, askedMs);
  const deps: RouteCallDeps = { ...shared, table, callLog, databaseClock };
  return {
    deps,
    /** When this process began to take calls, by the database's clock. */
    startedAt,
    callLog,
    directory,
    spool,
    /** `what`: the table that changed; null when it may be any. */
    onChange: (listener: (what: string | null) => void) => void listeners.push(listener),
  };
}
