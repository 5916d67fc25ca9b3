/**
 * The full side: the service as `npm start` runs it, embedded, with a data directory, PostgreSQL (fsync on) and Redis of its own, all gone afterwards.
 * It is set up through its HTTP API alone; only the records are counted in its database, because reading a million of them through the API would be
 * part of what is measured.
 */
import { chmodSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Database, openDatabase } from "../../src/db/database.js";
import { commandOf, endProcess, type ProcessIdentity } from "../../src/dev/process-identity.js";
import { systemClock } from "../../src/kernel/clock.js";
import { createLog } from "../../src/kernel/log.js";
import { startMeasured } from "../child.js";
import type { CleanUp } from "../clean-up.js";
import { cpuMsOfFamily } from "./process-use.js";
import { presentAll } from "./seed.js";
import type { Ledger, Side, SideInput } from "./side.js";
import { startBusiness } from "./sipp.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const ADMIN_KEY = "an-admin-key-for-the-bench-only";

export async function startFull({ dir, numbers, cleanUp }: SideInput): Promise<Side> {
  const business = await startBusiness(dir);
  cleanUp.push(() => business.stop());
  const parent = mkdtempSync(join(dir, "full-"));
  // As root, PostgreSQL's user can then reach its data here, and they go with the directory.
  chmodSync(parent, 0o711);
  const dataDir = join(parent, "data");
  const measured = await startMeasured({
    file: MAIN,
    words: [],
    env: {
      RINGMATCH_DATA_DIR: dataDir,
      HTTP_LISTEN: "127.0.0.1:0",
      SIP_LISTEN: "udp/127.0.0.1:0",
      ADMIN_API_KEY: ADMIN_KEY,
    },
    logFile: join(parent, "service.log"),
    readReady,
  });
  cleanUp.push(async () => {
    // Killed, it leaves its servers behind.
    if (!(await measured.stop())) await endServers(dataDir);
  });
  const { http, sip } = measured.ready;
  const accountId = await presentAll({ http, adminKey: ADMIN_KEY, business: business.uri, numbers });
  const ledger = openLedger(dataDir, accountId, cleanUp);
  const { pid, isRunning } = measured;
  return { name: "full", pid, sip, business, ledger, isRunning };
}

function readReady(line: Record<string, unknown>): { http: string; sip: string } | null {
  if (line["event"] !== "ready") return null;
  const [sip = ""] = line["sip"] as string[];
  return { http: String(line["http"]), sip: sip.replace(/^udp\//, "") };
}

const RECORDS_SINCE = {
  name: "",
  text: `select count(*) as records, count(*) filter (where late) as late from call
    where account_id = $1 and received_at >= $2::timestamptz and attribution = 'matched' and disposition = 'routed' and status = 'completed'`,
};

function openLedger(dataDir: string, accountId: string, cleanUp: CleanUp): Ledger {
  const postgres = serverOf(dataDir, "postgres");
  const password = readFileSync(join(dataDir, "secrets", "postgres-password"), "utf8").trim();
  const url = `postgres://ringmatch:${password}@127.0.0.1:${portOf(postgres.pid)}/ringmatch`;
  const db: Database = openDatabase({ url, log: createLog("warn"), connectionsMax: 1, applicationName: "bench" });
  cleanUp.push(() => db.close());
  return {
    now: async () => {
      const [row] = await db.query<{ now: string }>({ name: "", text: "select clock_timestamp()::text as now" });
      return row?.now ?? "";
    },
    recordsSince: async (now) => {
      const [row] = await db.query<{ records: number; late: number }>(RECORDS_SINCE, [accountId, now]);
      return { records: Number(row?.records), late: Number(row?.late) };
    },
    cpuMs: () => cpuMsOfFamily(postgres.pid),
  };
}

/** As the service noted it in its data directory. */
function serverOf(dataDir: string, server: "postgres" | "redis"): ProcessIdentity {
  return JSON.parse(readFileSync(join(dataDir, `${server}.pid.json`), "utf8")) as ProcessIdentity;
}

/** The service chose a free one and told PostgreSQL on its command line. */
function portOf(pid: number): number {
  const command = process.platform === "linux" ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : commandOf(pid);
  const port = /\bport=(\d+)/.exec(command ?? "")?.[1];
  if (port === undefined) throw new Error(`PostgreSQL's command line (pid ${pid}) names no port.`);
  return Number(port);
}

const SERVER_STOP = [
  { signal: "SIGINT", waitMs: 20_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;

async function endServers(dataDir: string): Promise<void> {
  for (const server of ["postgres", "redis"] as const)
    await endProcess(serverOf(dataDir, server), SERVER_STOP, systemClock);
}
