/**
 * Telnyx's Call Control API as our sender meets it (developers.telnyx.com/api-reference/call-commands): bearer keys, JSON, `command_id`s seen before are
 * ignored, error bodies `{errors: [{code, title, detail}]}`. Faults hit the next requests in order.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type TelnyxFault =
  /** Answered so; nothing is done. */
  | { readonly kind: "error"; readonly status: number; readonly code: string | null }
  /** Done, and no answer for as long as anybody waits. */
  | { readonly kind: "silent" }
  /** Done, but the answer never arrives. */
  | { readonly kind: "answer_lost" };

export interface TelnyxCommand {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface FakeTelnyx {
  readonly url: string;
  /** Everything that came with a good key. */
  readonly received: TelnyxCommand[];
  /** What was carried out: nothing twice. */
  readonly done: TelnyxCommand[];
  fail(...faults: readonly TelnyxFault[]): void;
  /** Every request from now on; null: works again. */
  failAlways(fault: TelnyxFault | null): void;
  /** Commands but `answer` and `reject` are refused until the call was answered. */
  insistOnAnswer(): void;
  stop(): Promise<void>;
}

export async function startFakeTelnyx(apiKey: string): Promise<FakeTelnyx> {
  const received: TelnyxCommand[] = [];
  const done: TelnyxCommand[] = [];
  const faults: TelnyxFault[] = [];
  let always: TelnyxFault | null = null;
  let isStrict = false;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = JSON.parse(await text(request)) as Record<string, unknown>;
    const path = request.url ?? "";
    if (request.headers.authorization !== `Bearer ${apiKey}`) return refuse(response, 401, "10009");
    received.push({ path, body });
    const fault = faults.shift() ?? always;
    if (fault?.kind === "error") return refuse(response, fault.status, fault.code);
    const [, id, action] = /^\/v2\/calls\/([^/]+)\/actions\/(\w+)$/.exec(path) ?? [];
    if (id === undefined) return refuse(response, 404, "10005");
    const isAnswered = done.some((one) => one.path === `/v2/calls/${id}/actions/answer`);
    if (isStrict && !isAnswered && action !== "answer" && action !== "reject") return refuse(response, 422, "90034");
    if (!done.some((one) => one.path === path && one.body["command_id"] === body["command_id"]))
      done.push({ path, body });
    if (fault?.kind === "silent") return;
    if (fault?.kind === "answer_lost") return void request.socket.destroy();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data: { result: "ok" } }));
  };
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    done,
    fail: (...next) => void faults.push(...next),
    failAlways: (fault) => (always = fault),
    insistOnAnswer: () => (isStrict = true),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function refuse(response: ServerResponse, status: number, code: string | null): void {
  const body =
    code === null ? "<html>" : JSON.stringify({ errors: [{ code, title: "Refused", detail: "Number +14156739823" }] });
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}
