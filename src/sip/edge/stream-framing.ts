/**
 * Messages out of a byte stream (RFC 3261 §18.3): header up to the empty line, then as many bytes as Content-Length says. Sans I/O; one framer
 * per TCP connection. Bytes are joined only when a whole header or body is there, so a peer that sends one byte at a time costs no more.
 */
import { MAX_MESSAGE_BYTES } from "./limits.js";
import { bad, contentLength, type Head, type Parsed, parseHead, withBody } from "./sip-parser.js";

export type StreamEvent =
  | { readonly kind: "parsed"; readonly parsed: Parsed }
  /** RFC 5626 §4.4.1: two line ends between messages ask for one in return. */
  | { readonly kind: "ping" }
  /** Where the next message begins cannot be known: the last message, to be answered when possible; then the connection must end. */
  | { readonly kind: "broken"; readonly parsed: Parsed };

export interface StreamFramer {
  push(chunk: string): StreamEvent[];
  /** A message has begun and is not complete; line ends alone are no message. */
  isPartial(): boolean;
}

export function createStreamFramer(): StreamFramer {
  let chunks: string[] = [];
  let size = 0;
  /** Set while a body is awaited; `need` counts from the start of the buffered text. */
  let awaited: { readonly head: Head; readonly bodyAt: number; readonly need: number } | null = null;
  let tail = "";
  let broken = false;

  const takeAll = (): string => {
    const text = chunks.length === 1 ? (chunks[0] ?? "") : chunks.join("");
    chunks = [];
    return text;
  };
  const keep = (text: string): void => {
    chunks = text === "" ? [] : [text];
    size = text.length;
    tail = text.slice(-3);
  };

  const drain = (events: StreamEvent[]): void => {
    let text = takeAll();
    while (!broken) {
      if (awaited === null) {
        const boundary = skipBetween(text, events);
        text = text.slice(boundary);
        const end = text.indexOf("\r\n\r\n");
        if (end === -1) break;
        const next = startBody(text, end);
        if (next.kind === "broken") {
          events.push(next);
          broken = true;
          return;
        }
        awaited = next;
      }
      if (text.length < awaited.need) break;
      const body = text.slice(awaited.bodyAt, awaited.need);
      events.push({ kind: "parsed", parsed: withBody(awaited.head, body, null) });
      text = text.slice(awaited.need);
      awaited = null;
    }
    keep(text);
  };

  return {
    push(chunk) {
      if (broken) return [];
      const events: StreamEvent[] = [];
      const mayComplete = awaited !== null ? size + chunk.length >= awaited.need : (tail + chunk).includes("\r\n\r\n");
      chunks.push(chunk);
      size += chunk.length;
      tail = (tail + chunk).slice(-3);
      if (mayComplete) drain(events);
      if (!broken && size > MAX_MESSAGE_BYTES && awaited === null) {
        broken = true;
        events.push({ kind: "broken", parsed: { kind: "garbage", reason: "header without an end" } });
      }
      return events;
    },
    isPartial: () => size > 3 || /[^\r\n]/.test(tail),
  };
}

/** Consumes line ends between messages; what may be the first half of a ping stays. */
function skipBetween(text: string, events: StreamEvent[]): number {
  let at = 0;
  for (;;) {
    if (text.startsWith("\r\n\r\n", at)) {
      events.push({ kind: "ping" });
      at += 4;
    } else if (text.startsWith("\r\n", at) && text.length > at + 2 && text[at + 2] !== "\r") at += 2;
    else return at;
  }
}

type BodyStart =
  | { readonly kind: "awaiting"; readonly head: Head; readonly bodyAt: number; readonly need: number }
  | { readonly kind: "broken"; readonly parsed: Parsed };

function startBody(text: string, end: number): BodyStart {
  const head = parseHead(text.slice(0, end));
  if (head === null) return { kind: "broken", parsed: { kind: "garbage", reason: "no SIP start line" } };
  const length = contentLength(head.headers);
  // Content-Length is mandatory on streams (§20.14): without it nothing after the header can be understood.
  if (length === null) return { kind: "broken", parsed: withBody(head, "", bad("Missing Content-Length")) };
  if (length === "bad") return { kind: "broken", parsed: withBody(head, "", bad("Bad Content-Length")) };
  if (end + 4 + length > MAX_MESSAGE_BYTES) {
    return { kind: "broken", parsed: withBody(head, "", { status: 513, reason: "Message Too Large" }) };
  }
  return { kind: "awaiting", head, bodyAt: end + 4, need: end + 4 + length };
}
