/** An app made of a TCP socket: sends frames that srf would never send, and shows frames as they come. */
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { type RunningEdge, SECRET, until } from "./edge.js";

export interface RawApp {
  readonly socket: Socket;
  readonly frames: string[];
  send(payload: string): void;
  sendRaw(text: string): void;
  frame(part: string): Promise<string>;
  isClosed(): boolean;
}

/** Authenticated, unless the test says otherwise. */
export async function rawApp(running: RunningEdge, options: { authenticate?: boolean } = {}): Promise<RawApp> {
  const socket = connect(running.admin.port, running.admin.host);
  const frames: string[] = [];
  let buffered = Buffer.alloc(0);
  let closed = false;
  socket.on("data", (data) => {
    buffered = Buffer.concat([buffered, data]);
    for (;;) {
      const mark = buffered.indexOf("#");
      const length = Number(buffered.subarray(0, Math.max(mark, 0)).toString());
      if (mark <= 0 || buffered.length < mark + 1 + length) return;
      frames.push(buffered.subarray(mark + 1, mark + 1 + length).toString("utf8"));
      buffered = buffered.subarray(mark + 1 + length);
    }
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  onTestFinished(() => void socket.destroy());
  const app: RawApp = {
    socket,
    frames,
    send: (payload) => socket.write(`${Buffer.byteLength(payload)}#${payload}`),
    sendRaw: (text) => socket.write(text),
    frame: async (part) => {
      await until(`a frame with ${part} (got ${frames.join(" / ")})`, () => frames.some((one) => one.includes(part)));
      return (
        frames.splice(
          frames.findIndex((one) => one.includes(part)),
          1,
        )[0] ?? ""
      );
    },
    isClosed: () => closed,
  };
  if (options.authenticate !== false) {
    app.send(`m0|authenticate|${SECRET}|`);
    await app.frame("|response|m0|OK|");
  }
  return app;
}
