/**
 * Frames of the drachtio wire protocol: `<decimal byte count>#<payload>`, nothing between them. Sans I/O; one decoder per app connection. What
 * is no frame ends the connection: there is no way to find the next one.
 */
import { MAX_APP_FRAME_BYTES } from "./limits.js";

export type FrameOutcome =
  | { readonly kind: "frames"; readonly payloads: readonly string[] }
  | { readonly kind: "broken"; readonly payloads: readonly string[]; readonly reason: string };

export interface FrameDecoder {
  push(chunk: string): FrameOutcome;
}

export function createFrameDecoder(): FrameDecoder {
  let chunks: string[] = [];
  let size = 0;
  /** Bytes from the start of the buffer that complete the frame; 0 while its length is not known. */
  let need = 0;

  const take = (): string => {
    const text = chunks.length === 1 ? (chunks[0] ?? "") : chunks.join("");
    chunks = [];
    size = 0;
    return text;
  };

  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      if (size < need) return { kind: "frames", payloads: [] };
      const payloads: string[] = [];
      let text = take();
      for (;;) {
        const length = frameLength(text);
        if (length.kind === "broken") return { kind: "broken", payloads, reason: length.reason };
        need = length.kind === "known" ? length.payloadAt + length.bytes : 0;
        if (length.kind === "unknown" || text.length < need) break;
        payloads.push(text.slice(length.payloadAt, need));
        text = text.slice(need);
        need = 0;
      }
      chunks = [text];
      size = text.length;
      return { kind: "frames", payloads };
    },
  };
}

export function encodeFrame(payload: string): string {
  return `${payload.length}#${payload}`;
}

type FrameLength =
  | { readonly kind: "unknown" }
  | { readonly kind: "known"; readonly bytes: number; readonly payloadAt: number }
  | { readonly kind: "broken"; readonly reason: string };

const MAX_DIGITS = String(MAX_APP_FRAME_BYTES).length;

function frameLength(text: string): FrameLength {
  const mark = text.indexOf("#");
  const digits = mark === -1 ? text : text.slice(0, mark);
  if (digits.length > MAX_DIGITS || !/^\d*$/.test(digits)) return { kind: "broken", reason: "no frame length" };
  if (mark === -1) return { kind: "unknown" };
  const bytes = Number(digits);
  if (digits === "" || bytes === 0) return { kind: "broken", reason: "empty frame" };
  return { kind: "known", bytes, payloadAt: mark + 1 };
}
