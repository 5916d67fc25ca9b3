/** The processes of `bench -- present`: the service with the http role alone on a given database, and the idle route beside it. */
import { join } from "node:path";
import { type MeasuredProcess, startMeasured } from "../child.js";
import type { CleanUp } from "../clean-up.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
export const ADMIN_KEY = "an-admin-key-for-the-bench-only";
const IDLE = join(import.meta.dirname, "idle-route.js");

export interface SideInput {
  readonly dir: string;
  readonly cleanUp: CleanUp;
}

let count = 0;

/** @returns its URL. PostgreSQL is the bench's, Redis its own. */
export async function startService({ dir, cleanUp }: SideInput, databaseUrl: string): Promise<string> {
  const name = `service-${++count}`;
  const measured = await startMeasured({
    file: MAIN,
    words: [],
    env: {
      DATABASE_URL: databaseUrl,
      RINGMATCH_DATA_DIR: join(dir, name),
      HTTP_LISTEN: "127.0.0.1:0",
      ROLES: "http",
      ADMIN_API_KEY: ADMIN_KEY,
      SECRETS_KEY: "a secret for the benchmark only",
      PRESENT_TRUSTED_CIDRS: "127.0.0.0/8",
    },
    logFile: join(dir, `${name}.log`),
    readReady: (line) => (line["event"] === "ready" ? String(line["http"]) : null),
  });
  return ended(measured, cleanUp);
}

export async function startIdle({ dir, cleanUp }: SideInput): Promise<string> {
  const measured = await startMeasured({
    file: IDLE,
    words: [],
    env: {},
    logFile: join(dir, "idle.log"),
    readReady: (line) => (typeof line["http"] === "string" ? line["http"] : null),
  });
  return ended(measured, cleanUp);
}

function ended(measured: MeasuredProcess<string>, cleanUp: CleanUp): string {
  cleanUp.push(async () => void (await measured.stop()));
  return measured.ready;
}
