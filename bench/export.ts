/**
 * Whether an export's memory grows with what it exports: the peak of the resident set while a million calls leave, beside that of a hundred thousand, over
 * HTTP (CSV and NDJSON, a server of our own in its process) and by `ringmatch export` (Parquet). Every export has a fresh process, which is measured alone.
 */
import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "../src/db/database.js";
import { CleanUp } from "./clean-up.js";
import { settle } from "./presentation-log.js";
import type { BenchResult } from "./result.js";
import { startBenchServer } from "./server.js";
import { makeTempDir } from "./temp-dir.js";
import { makeTenants } from "./tenants.js";

const FEW = 100_000;
const MANY = 1_000_000;
const FORMATS = ["csv", "ndjson", "parquet"] as const;
const TARGET = 1.2;
const SAMPLE_EVERY_MS = 100;
const SHOW_EVERY_SAMPLES = 50;
const MB = 1_048_576;
/** Rows of one statement: it must end within the service's statement timeout. */
const ROWS_A_STATEMENT = 20_000;
/** Calls are a second apart, back from here. */
const NEWEST = "2026-01-01T00:00:00Z";

const INSERT_CALLS = `insert into call (id, account_id, pool_id, number_id, ownership_epoch, received_at, ingress, ingress_call_id, promo_number, caller_last4,
    disposition, status, destination_number, progress, answered_at, ended_at, pdd_ms, ring_ms, talk_ms, attribution, presentation_id, visitor_id,
    presented_at, matched_seq, confidence, touch, custom_data, updated_at)
  select 'call_' || lpad(i::text, 10, '0'), 'acc_0', 'pool_0', 1, 1, at, 'sip', 'bench-' || i, '+18882000000', lpad((i % 10000)::text, 4, '0'),
    'routed', 'completed', '+18005550000', '{"attempts":[],"answeredAt":null,"end":null}', at + interval '8 seconds', at + interval '3 minutes',
    900, 8000, 172000, 'matched', 'prs_' || i, 'vis_' || i % 5000, at - interval '4 minutes', i, 0.9,
    jsonb_build_object('utm_source', 'google', 'utm_medium', 'cpc', 'utm_campaign', 'campaign ' || i % 40, 'gclid', md5(i::text) || md5('x' || i)),
    jsonb_build_object('plan', 'pro', 'basket', i % 500, 'page', '/products/' || i % 300), at
  from generate_series($1::int, $2::int) i cross join lateral (select $3::timestamptz - make_interval(secs => i) as at) t`;

export async function benchExport(report: (progress: string) => void): Promise<BenchResult> {
  const cleanUp = new CleanUp();
  try {
    const server = await startBenchServer();
    cleanUp.push(() => server.stop());
    const dir = makeTempDir("export", cleanUp);
    const db = await server.database("export", 8);
    await makeTenants(db, { tenants: 1, numbersATenant: 10, sessionLifetimeS: () => 1_800 });
    await loadCalls(db);
    await settle(db);
    report(`loaded ${MANY} calls`);
    const figures: Record<string, number> = {};
    const ratios: Record<string, number> = {};
    for (const format of FORMATS) {
      const peaks: number[] = [];
      for (const calls of [FEW, MANY]) {
        const out = join(dir, `calls.${format}`);
        const began = performance.now();
        const peak = await exportIn({ url: server.url("export"), format, calls, out }, report);
        const seconds = (performance.now() - began) / 1_000;
        const name = calls === FEW ? "100k" : "1m";
        figures[`${format}_${name}_peak_mb`] = peak / MB;
        figures[`${format}_${name}_s`] = seconds;
        peaks.push(peak);
        report(
          `${format}, ${calls} calls: peak ${(peak / MB).toFixed(0)} MB, ${seconds.toFixed(0)} s, ${(statSync(out).size / MB).toFixed(0)} MB written`,
        );
      }
      ratios[`${format}_peak_1m_to_100k`] = (peaks[1] ?? Number.NaN) / (peaks[0] ?? Number.NaN);
    }
    const targets = Object.fromEntries(Object.keys(ratios).map((name) => [name, { atMost: TARGET }]));
    return { bench: "export", figures, ratios, targets, goals: {} };
  } finally {
    await cleanUp.run();
  }
}

async function loadCalls(db: Database): Promise<void> {
  for (let from = 1; from <= MANY; from += ROWS_A_STATEMENT)
    await db.transaction(async (tx) => {
      await tx.query({ name: "", text: "set local synchronous_commit = off" });
      await tx.query({ name: "", text: INSERT_CALLS }, [from, from + ROWS_A_STATEMENT - 1, NEWEST]);
    });
}

interface Job {
  readonly url: string;
  readonly format: (typeof FORMATS)[number];
  readonly calls: number;
  readonly out: string;
}

/** @returns the peak of the exporting process's resident set, in bytes, as its kernel counted it */
async function exportIn({ url, format, calls, out }: Job, report: (progress: string) => void): Promise<number> {
  const from = new Date(Date.parse(NEWEST) - calls * 1_000).toISOString();
  const child = spawn(process.execPath, [join(import.meta.dirname, "export", "one.js"), format, from, NEWEST, out], {
    env: {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: url,
      REDIS_URL: "redis://127.0.0.1:1",
      SECRETS_KEY: "a secret for the benchmark only",
    },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const samples: number[] = [];
  const sampler = setInterval(() => {
    samples.push(residentOf(child.pid, "VmRSS"));
    if (samples.length % SHOW_EVERY_SAMPLES === 0)
      report(
        `${format}, ${calls} calls, ${(samples.length * SAMPLE_EVERY_MS) / 1_000} s: ${((samples.at(-1) ?? 0) / MB).toFixed(0)} MB`,
      );
  }, SAMPLE_EVERY_MS);
  let peak = 0;
  // It waits for our answer, so that its peak can be read before it is gone.
  child.on("message", () => {
    peak = residentOf(child.pid, "VmHWM");
    child.send("end");
  });
  const code = await new Promise<number | null>((ended) => child.once("exit", ended));
  clearInterval(sampler);
  if (code !== 0) throw new Error(`the export of ${calls} calls as ${format} ended with ${code}`);
  return peak > 0 ? peak : Math.max(...samples);
}

/** Of Linux; 0 elsewhere or when it is gone. */
function residentOf(pid: number | undefined, field: "VmRSS" | "VmHWM"): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
