/** A SIP peer made of nothing but a UDP socket: sends exactly the text a test writes, and shows exactly what comes back. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export interface RawPeer {
  readonly host: string;
  readonly port: number;
  send(text: string | Buffer): void;
  /** To somebody else than this peer was made for. */
  sendTo(to: { host: string; port: number }, text: string): void;
  /** The next message (also one that came before) for which the predicate holds; it is taken out. */
  next(what: string, predicate?: (text: string) => boolean, timeoutMs?: number): Promise<string>;
  /** The next response with this status and, when given, CSeq method. */
  response(status: number, method?: string): Promise<string>;
  request(method: string): Promise<string>;
  /** Everything not taken yet. */
  readonly inbox: string[];
  close(): void;
}

export async function rawPeer(to: { host: string; port: number }, host = "127.0.0.1"): Promise<RawPeer> {
  const socket: Socket = createSocket("udp4");
  socket.bind(0, host);
  await once(socket, "listening");
  let isOpen = true;
  const close = (): void => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  onTestFinished(close);
  const inbox: string[] = [];
  const waiting: { predicate: (text: string) => boolean; resolve: (text: string) => void }[] = [];
  socket.on("message", (data) => {
    const text = data.toString("latin1");
    const index = waiting.findIndex((one) => one.predicate(text));
    if (index === -1) inbox.push(text);
    else waiting.splice(index, 1)[0]?.resolve(text);
  });
  const next: RawPeer["next"] = (what, predicate = () => true, timeoutMs = 4_000) => {
    const index = inbox.findIndex(predicate);
    if (index !== -1) return Promise.resolve(inbox.splice(index, 1)[0] ?? "");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${what} in ${timeoutMs} ms; last came:\n${lastOf(inbox)}`)),
        timeoutMs,
      );
      waiting.push({
        predicate,
        resolve: (text) => {
          clearTimeout(timer);
          resolve(text);
        },
      });
    });
  };
  return {
    host,
    port: socket.address().port,
    inbox,
    next,
    send: (text) => socket.send(typeof text === "string" ? Buffer.from(text, "latin1") : text, to.port, to.host),
    sendTo: (other, text) => socket.send(Buffer.from(text, "latin1"), other.port, other.host),
    response: (status, method) =>
      next(
        `${status} ${method ?? ""}`,
        (text) =>
          text.startsWith(`SIP/2.0 ${status} `) &&
          (method === undefined || new RegExp(`^CSeq: \\d+ ${method}\r`, "m").test(text)),
      ),
    request: (method) => next(method, (text) => text.startsWith(`${method} `)),
    close,
  };
}

/** First value of a header in raw text, "" when there is none. */
export function field(text: string, name: string): string {
  return new RegExp(`^${name}: ?(.*)$`, "im").exec(text.replaceAll("\r", ""))?.[1] ?? "";
}

export function tagOf(value: string): string {
  return /;tag=([^;>\s]+)/.exec(value)?.[1] ?? "";
}

let count = 0;

export interface CallTexts {
  readonly callId: string;
  readonly fromTag: string;
  invite(extra?: {
    headers?: readonly string[];
    branch?: string;
    cseq?: number;
    uri?: string;
    toTag?: string;
    body?: string;
  }): string;
  ack(response: string): string;
  cancel(): string;
  inDialog(method: string, answer: string, cseq: number, headers?: readonly string[], body?: string): string;
}

export const SDP =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n";

/** The texts of one call by this peer to the edge. */
export function callTexts(
  peer: { host: string; port: number },
  edge: { host: string; port: number },
  user = "+18005550100",
): CallTexts {
  count += 1;
  const callId = `raw-${process.pid}-${count}-${peer.port}`;
  const fromTag = `from${count}`;
  const inviteBranch = `z9hG4bKinv${count}x${peer.port}`;
  const from = `"Caller" <sip:+14155550100@${peer.host}>;tag=${fromTag}`;
  const to = `<sip:${user}@${edge.host}>`;
  const uri = `sip:${user}@${edge.host}:${edge.port}`;
  const via = (branch: string): string => `Via: SIP/2.0/UDP ${peer.host}:${peer.port};rport;branch=${branch}`;
  const join = (lines: readonly string[], body = ""): string =>
    [
      ...lines,
      ...(body === "" ? [] : ["Content-Type: application/sdp"]),
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
  return {
    callId,
    fromTag,
    invite: (extra = {}) =>
      join(
        [
          `INVITE ${extra.uri ?? uri} SIP/2.0`,
          via(extra.branch ?? inviteBranch),
          "Max-Forwards: 70",
          `From: ${from}`,
          `To: ${to}${extra.toTag === undefined ? "" : `;tag=${extra.toTag}`}`,
          `Call-ID: ${callId}`,
          `CSeq: ${extra.cseq ?? 1} INVITE`,
          `Contact: <sip:caller@${peer.host}:${peer.port}>`,
          ...(extra.headers ?? []),
        ],
        extra.body ?? SDP,
      ),
    ack: (response) => {
      const isSuccess = response.startsWith("SIP/2.0 2");
      return join([
        `ACK ${isSuccess ? contactOf(response) : uri} SIP/2.0`,
        via(isSuccess ? `${inviteBranch}ack` : inviteBranch),
        "Max-Forwards: 70",
        `From: ${from}`,
        `To: ${field(response, "To")}`,
        `Call-ID: ${callId}`,
        `CSeq: ${Number.parseInt(field(response, "CSeq"), 10)} ACK`,
      ]);
    },
    cancel: () =>
      join([
        `CANCEL ${uri} SIP/2.0`,
        via(inviteBranch),
        "Max-Forwards: 70",
        `From: ${from}`,
        `To: ${to}`,
        `Call-ID: ${callId}`,
        "CSeq: 1 CANCEL",
      ]),
    inDialog: (method, answer, cseq, headers = [], body = "") =>
      join(
        [
          `${method} ${contactOf(answer)} SIP/2.0`,
          via(`${inviteBranch}${method}${cseq}`),
          "Max-Forwards: 70",
          `From: ${from}`,
          `To: ${field(answer, "To")}`,
          `Call-ID: ${callId}`,
          `CSeq: ${cseq} ${method}`,
          ...headers,
        ],
        body,
      ),
  };
}

export function contactOf(text: string): string {
  return /<([^>]+)>/.exec(field(text, "Contact"))?.[1] ?? "";
}

/** A response to a raw request, with its To tag. */
export function respondTo(
  request: string,
  status: number,
  reason: string,
  options: { tag?: string; contact?: string; headers?: readonly string[]; body?: string } = {},
): string {
  const vias = request
    .replaceAll("\r", "")
    .split("\n")
    .filter((line) => line.startsWith("Via:"));
  const to = field(request, "To");
  const body = options.body ?? "";
  return [
    `SIP/2.0 ${status} ${reason}`,
    ...vias,
    `From: ${field(request, "From")}`,
    `To: ${options.tag === undefined || to.includes(";tag=") ? to : `${to};tag=${options.tag}`}`,
    `Call-ID: ${field(request, "Call-ID")}`,
    `CSeq: ${field(request, "CSeq")}`,
    ...(options.contact === undefined ? [] : [`Contact: <${options.contact}>`]),
    ...(options.headers ?? []),
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

const SHOWN = 20;

function lastOf(inbox: readonly string[]): string {
  return inbox
    .slice(-SHOWN)
    .map((one) => one.split("\r\n")[0])
    .join(" / ");
}
