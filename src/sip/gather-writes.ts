/**
 * Frames that one turn of the event loop sends to a drachtio server leave together: drachtio-srf writes each by a system call of its own, and of a call
 * there are seven. Told of the socket by whoever sees an INVITE of it first.
 */
import type { Socket } from "node:net";

const gathered = new WeakSet<Socket>();

/** Idempotent. What is written goes out when the turn ends: nothing waits for a timer. */
export function gatherWrites(socket: Socket): void {
  if (gathered.has(socket)) return;
  gathered.add(socket);
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isCorked = false;
  socket.write = (...args: unknown[]): boolean => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
}
