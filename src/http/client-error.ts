/** Bytes that are no HTTP request: answered in the same words as everything else, then the connection is closed. */
import type { Socket } from "node:net";
import { AppError } from "../kernel/errors.js";
import { PROBLEM_TYPE, problemOf } from "./problem.js";

export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  // The peer has gone, or is answered already.
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const timedOut = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const detail = timedOut ? "The request did not arrive in time." : "This is no HTTP request that could be read.";
  const status = timedOut ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  const body = JSON.stringify({ ...problemOf(new AppError("unreadable_body", detail)), status });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
