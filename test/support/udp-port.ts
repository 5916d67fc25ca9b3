/** UDP ports for sipp, which can neither choose a free one nor say when it listens. */
import { createSocket } from "node:dgram";

const LISTENS_WITHIN_MS = 2_000;
const POLL_MS = 10;

export async function freeUdpPort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolvePort(port));
    });
  });
}

/** A port that sipp has bound cannot be bound by us: that is how we see that it is ready. */
export async function untilListening(port: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < LISTENS_WITHIN_MS; waitedMs += POLL_MS) {
    if (!(await canBind(port))) return;
    await new Promise((resolveWait) => setTimeout(resolveWait, POLL_MS));
  }
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolveBind) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolveBind(false));
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, () => socket.close(() => resolveBind(true)));
  });
}
