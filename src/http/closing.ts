/**
 * While the server closes: what runs is finished, and no connection is kept for later. Without this an answer sent during the close would leave its
 * connection open, and the close waiting, for the whole keep-alive timeout.
 */
import type { FastifyInstance } from "fastify";

/** Connections whose last answer left before the close began become idle afterwards: look this often. */
const IDLE_CHECK_MS = 100;

export function addClosing(app: FastifyInstance): void {
  let timer: NodeJS.Timeout | null = null;
  app.addHook("preClose", (done) => {
    timer = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
    done();
  });
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (timer !== null) void reply.header("connection", "close");
    done();
  });
  app.addHook("onClose", (_instance, done) => {
    if (timer !== null) clearInterval(timer);
    done();
  });
}
