/** UDP ports for sipp, which can neither choose a free one nor say when it listens. */
import { createSocket } from "node:dgram";
import { readFile } from "node:fs/promises";

const LISTENS_WITHIN_MS = 2_000;
const POLL_MS = 10;

/** Below those that systems give to who asks for any port (IANA: from 49152, Linux: from 32768), so that nobody is given ours before sipp has it. */
const FIRST_PORT = 20_000;
/** Each worker of the test runner has as many of its own. */
const PORTS_A_WORKER = 500;
const WORKERS_MAX = 20;

const firstOfWorker = FIRST_PORT + (Number(process.env["VITEST_POOL_ID"] ?? 0) % WORKERS_MAX) * PORTS_A_WORKER;
/** Another test run of this machine begins elsewhere. */
let next = process.pid % PORTS_A_WORKER;

export async function freeUdpPort(): Promise<number> {
  for (let tries = 0; tries < PORTS_A_WORKER; tries++) {
    const port = firstOfWorker + next;
    next = (next + 1) % PORTS_A_WORKER;
    if (await canBind(port)) return port;
  }
  throw new Error(`None of the ports ${firstOfWorker} to ${firstOfWorker + PORTS_A_WORKER - 1} is free.`);
}

export async function untilListening(port: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < LISTENS_WITHIN_MS; waitedMs += POLL_MS) {
    if (await isBound(port)) return;
    await new Promise((resolveWait) => setTimeout(resolveWait, POLL_MS));
  }
}

/** Linux says who listens. Elsewhere we must try to bind the port, and may be the one who has it when sipp wants it. */
async function isBound(port: number): Promise<boolean> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  try {
    const tables = await Promise.all(["udp", "tcp"].map((name) => readFile(`/proc/net/${name}`, "utf8")));
    return tables.some((table) => new RegExp(`^ *\\d+: [0-9A-F]{8}:${hex} `, "m").test(table));
  } catch {
    return !(await canBind(port));
  }
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolveBind) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolveBind(false));
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, () => socket.close(() => resolveBind(true)));
  });
}
