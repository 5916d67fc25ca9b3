/** The built service as users run it: a process of its own, on free ports, in a data directory of its own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { until } from "./until.js";

const ROOT = resolve(import.meta.dirname, "../..");
export const ADMIN_KEY = "an admin key for tests only".replaceAll(" ", "-");
const START_MS_MAX = 60_000;

/** Builds dist/ when src/ is newer; quick when there is nothing to do. */
export function build(): void {
  execFileSync("bash", ["scripts/bootstrap.sh", "start"], { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
}

export interface DataDirectory {
  readonly path: string;
  remove(): void;
}

export function makeDataDirectory(): DataDirectory {
  const parent = mkdtempSync(join(tmpdir(), "ringmatch-service-"));
  // Run as root, PostgreSQL's user can then reach the data here, and they go with the directory.
  chmodSync(parent, 0o711);
  return { path: join(parent, "data"), remove: () => rmSync(parent, { recursive: true, force: true }) };
}

export interface ReadyLine {
  readonly event: "ready";
  readonly pid: number;
  readonly http: string;
  readonly sip: readonly string[];
}

export interface RunningService {
  readonly child: ChildProcess;
  readonly ready: ReadyLine;
  /** host:port of the UDP listener. */
  readonly sip: string;
  stdout(): string;
  stderr(): string;
  /** Of the process that was started. */
  readonly exit: Promise<number | null>;
  api(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
}

export interface StartOptions {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** "npm": as `npm start`, in a process group of its own. */
  readonly how?: "node" | "npm";
}

/** @throws with everything it said when it ends before it is ready */
export async function startService(options: StartOptions): Promise<RunningService> {
  const started = launch(options);
  const ready = await started.ready;
  if (ready === null)
    throw new Error(`the service ended with ${await started.exit}\n${started.stdout()}\n${started.stderr()}`);
  const { child, exit, stdout, stderr } = started;
  const udp = ready.sip.find((address) => address.startsWith("udp/"));
  return {
    child,
    ready,
    exit,
    stdout,
    stderr,
    sip: udp?.slice("udp/".length) ?? "",
    api: async (method, path, body, headers = {}) => {
      const response = await fetch(ready.http + path, {
        method,
        headers: {
          authorization: `Bearer ${ADMIN_KEY}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
    },
  };
}

/** An account with a destination and a pool of its own, and a number just presented to a visitor: all over HTTP, as users do it. */
export async function presentedNumber(service: RunningService, destinationNumber: string, sipUri: string) {
  const account = await service.api("POST", "/v1/accounts", { name: `Account of ${destinationNumber}` });
  const account_id = account.body["id"] as string;
  const promo = [`+18335${destinationNumber.slice(-2)}0001`, `+18335${destinationNumber.slice(-2)}0002`];
  expect(await service.api("POST", "/v1/numbers", { numbers: promo })).toMatchObject({
    status: 201,
    body: { added: 2, invalid: [] },
  });
  expect(
    (await service.api("POST", "/v1/destinations", { account_id, number: destinationNumber, sip_uri: sipUri })).status,
  ).toBe(201);
  const pool = await service.api("POST", "/v1/pools", {
    account_id,
    name: "pool",
    kind: "automatic",
    destination_number: destinationNumber,
  });
  expect(pool).toMatchObject({ status: 201, body: { size: 2, overflow_number: promo[1] } });
  const page = {
    tag_key: account.body["tag_key"],
    numbers: [destinationNumber],
    page: { url: "https://shop.example/?utm_source=bing" },
  };
  const presented = await service.api("POST", "/v1/presentations", page, { "user-agent": "Mozilla/5.0 (a visitor)" });
  expect(presented.body["presentations"]).toMatchObject([{ outcome: "presented", promo_number: promo[0] }]);
  return { account: account_id, presentation: presented.body, promoNumber: promo[0] as string };
}

/** The newest record of a number, once the call is over. */
export async function completed(service: RunningService, promoNumber: string): Promise<Record<string, unknown>> {
  return until(`a completed record of ${promoNumber}`, async () => {
    const page = await service.api("GET", `/v1/calls?promo_number=${encodeURIComponent(promoNumber)}`);
    const [record] = page.body["data"] as Record<string, unknown>[];
    return record?.["status"] === "completed" ? record : null;
  });
}

/** For starts that are expected to end before they are ready. @param meanwhile what happens to the process until then */
export async function failToStart(
  options: StartOptions,
  meanwhile: (child: ChildProcess) => void = () => undefined,
): Promise<{ code: number | null; stderr: string }> {
  const started = launch(options);
  meanwhile(started.child);
  const code = await started.exit;
  return { code, stderr: started.stderr() };
}

function launch({ dataDir, env = {}, how = "node" }: StartOptions) {
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: process.env["HOME"] ?? "/",
    RINGMATCH_DATA_DIR: dataDir,
    HTTP_LISTEN: "127.0.0.1:0",
    SIP_LISTEN: "udp/127.0.0.1:0,tcp/127.0.0.1:0",
    ADMIN_API_KEY: ADMIN_KEY,
    LOG_LEVEL: "info",
    ...env,
  };
  const [command, words] =
    how === "npm" ? ["npm", ["start"]] : [process.execPath, ["--enable-source-maps", "dist/main.js"]];
  const child = spawn(command, words, {
    cwd: ROOT,
    env: environment,
    detached: how === "npm",
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  let tellReady: (ready: ReadyLine | null) => void = () => undefined;
  const ready = new Promise<ReadyLine | null>((resolveReady) => {
    tellReady = resolveReady;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX);
  child.stdout?.on("data", (data) => {
    out += String(data);
    const line = out.split("\n").find((text) => text.startsWith('{"event":"ready"'));
    if (line === undefined) return;
    clearTimeout(timer);
    tellReady(JSON.parse(line) as ReadyLine);
  });
  child.stderr?.on("data", (data) => {
    err += String(data);
  });
  const exit = new Promise<number | null>((resolveExit) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      tellReady(null);
      resolveExit(code);
    });
  });
  return { child, ready, exit, stdout: () => out, stderr: () => err };
}
