/** SIP messages and app frames out of streams cut anywhere. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFrameDecoder, encodeFrame } from "../../../src/sip/edge/app-framing.js";
import { createStreamFramer, type StreamEvent } from "../../../src/sip/edge/stream-framing.js";

function cut(text: string, sizes: readonly number[]): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const size = sizes[i % Math.max(sizes.length, 1)] ?? text.length;
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

const bodies = fc.array(fc.string({ unit: "binary-ascii", maxLength: 60 }), { minLength: 1, maxLength: 6 });
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

describe("a stream of SIP messages", () => {
  it("gives the same messages wherever it is cut, with line ends between them or not", () => {
    fc.assert(
      fc.property(bodies, sizes, fc.constantFrom("", "\r\n", "\r\n\r\n"), (texts, pieces, between) => {
        const stream = texts
          .map((body, i) => `${between}INFO sip:a SIP/2.0\r\nCSeq: ${i} INFO\r\nl : ${body.length}\r\n\r\n${body}`)
          .join("");
        const framer = createStreamFramer();
        const events: StreamEvent[] = cut(stream, pieces).flatMap((piece) => framer.push(piece));
        const messages = events.flatMap((event) =>
          event.kind === "parsed" && event.parsed.kind === "message" ? [event.parsed.message.body] : [],
        );
        expect(messages).toEqual(texts);
        expect(events.filter((event) => event.kind === "ping")).toHaveLength(between === "\r\n\r\n" ? texts.length : 0);
        expect(framer.isPartial()).toBe(false);
      }),
    );
  });

  it("says nothing more once it cannot know where the next message begins", () => {
    const framer = createStreamFramer();
    const first = framer.push("INFO sip:a SIP/2.0\r\nCSeq: 1 INFO\r\n\r\n");
    expect(first).toMatchObject([
      { kind: "broken", parsed: { problem: { status: 400, reason: "Missing Content-Length" } } },
    ]);
    expect(framer.push("INFO sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")).toEqual([]);
  });

  it("knows a begun message from waiting line ends", () => {
    const framer = createStreamFramer();
    expect(framer.isPartial()).toBe(false);
    framer.push("\r\n");
    expect(framer.isPartial()).toBe(false);
    framer.push("I");
    expect(framer.isPartial()).toBe(true);
  });

  it("does not buffer a header without an end beyond 64 KB", () => {
    const framer = createStreamFramer();
    const events = Array.from({ length: 70 }, () => framer.push("x".repeat(1_000))).flat();
    expect(events).toMatchObject([{ kind: "broken", parsed: { kind: "garbage" } }]);
  });
});

describe("a stream of app frames", () => {
  it("gives the same payloads wherever it is cut", () => {
    const payloads = fc.array(fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 60 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(payloads, sizes, (texts, pieces) => {
        const decoder = createFrameDecoder();
        const outcomes = cut(texts.map(encodeFrame).join(""), pieces).map((piece) => decoder.push(piece));
        expect(outcomes.every((outcome) => outcome.kind === "frames")).toBe(true);
        expect(outcomes.flatMap((outcome) => outcome.payloads)).toEqual(texts);
      }),
    );
  });

  it.each(["x", "#", "0#", "00000#", "100000#", "123456", "1 2#", "5", "99999"])(
    "judges %j by its length field alone",
    (text) => {
      const expected = /^\d{1,5}$/.test(text) ? "frames" : "broken";
      expect(createFrameDecoder().push(text).kind).toBe(expected);
    },
  );

  it("keeps the frames before a broken one", () => {
    expect(createFrameDecoder().push("2#ab3#cdex")).toEqual({
      kind: "broken",
      payloads: ["ab", "cde"],
      reason: "no frame length",
    });
  });
});
