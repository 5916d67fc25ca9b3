/** A receiver of webhooks on loopback that does what it is told: answers, hangs, breaks off. It remembers all it was sent. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import { until } from "./until.js";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
}

export type Reply = (response: ServerResponse, received: Received) => void;

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Requests that are open right now, and the most there ever were. */
  readonly open: { now: number; max: number };
  /** What it does from now on; 200 at the beginning. */
  reply: Reply;
  /** As soon as it has been sent so many. */
  got(count: number): Promise<readonly Received[]>;
}

export function status(code: number, headers: Record<string, string> = {}): Reply {
  return (response) => void response.writeHead(code, headers).end("noted");
}

export const hang: Reply = () => undefined;

/** Call at the top of a test file; it is closed after the file's tests. */
export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    receiver.open.max = Math.max(receiver.open.max, ++receiver.open.now);
    response.on("close", () => receiver.open.now--);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url = "", headers } = request;
      const received = { path: url, headers, body: Buffer.concat(chunks).toString(), atMs: performance.now() };
      receiver.received.push(received);
      receiver.reply(response, received);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received: [],
    open: { now: 0, max: 0 },
    reply: status(200),
    got: async (count) => {
      await until(`${count} deliveries`, () => receiver.received.length >= count);
      return receiver.received;
    },
  };
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return receiver;
}
