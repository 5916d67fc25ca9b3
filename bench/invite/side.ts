/** The two sides of `bench -- invite`, each a process of its own with a business of its own that answers its calls. */
import { join } from "node:path";
import { startMeasured } from "../child.js";
import type { CleanUp } from "../clean-up.js";
import { type Business, startBusiness } from "./sipp.js";

export type SideName = "bare" | "full";

export interface Side {
  readonly name: SideName;
  readonly pid: number;
  /** host:port */
  readonly sip: string;
  readonly business: Business;
  readonly ledger: Ledger | null;
  isRunning(): boolean;
}

/** Where a side keeps its records of calls; null: it keeps none. */
export interface Ledger {
  /** PostgreSQL's time, for `recordsSince`. */
  now(): Promise<string>;
  /** Records of calls since then that are matched and completed, on disk; of these, matched from the log after the phone rang. */
  recordsSince(now: string): Promise<{ readonly records: number; readonly late: number }>;
  /** Null where the system does not tell. */
  cpuMs(): number | null;
}

export interface SideInput {
  readonly dir: string;
  readonly numbers: readonly string[];
  /** Told what to stop, as it is started. */
  readonly cleanUp: CleanUp;
}

const PROGRAM = join(import.meta.dirname, "bare-b2bua.js");

/** createB2BUA with a static Map. */
export async function startBare({ dir, numbers, cleanUp }: SideInput): Promise<Side> {
  const business = await startBusiness(dir);
  cleanUp.push(() => business.stop());
  const measured = await startMeasured({
    file: PROGRAM,
    words: [business.uri, numbers.join(",")],
    env: {},
    logFile: join(dir, "bare.log"),
    readReady: (line) => (typeof line["sip"] === "string" ? line["sip"] : null),
  });
  cleanUp.push(async () => void (await measured.stop()));
  const { pid, ready: sip, isRunning } = measured;
  return { name: "bare", pid, sip, business, ledger: null, isRunning };
}
