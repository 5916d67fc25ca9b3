/** Reason phrases of the answers that the edge gives by itself (RFC 3261 §21). An app's own phrase is passed on as it is. */

const PHRASES = {
  100: "Trying",
  200: "OK",
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Request Entity Too Large",
  416: "Unsupported URI Scheme",
  420: "Bad Extension",
  422: "Session Interval Too Small",
  480: "Temporarily Unavailable",
  481: "Call/Transaction Does Not Exist",
  482: "Loop Detected",
  483: "Too Many Hops",
  486: "Busy Here",
  487: "Request Terminated",
  488: "Not Acceptable Here",
  489: "Bad Event",
  491: "Request Pending",
  500: "Server Internal Error",
  503: "Service Unavailable",
  504: "Server Time-out",
  505: "Version Not Supported",
  513: "Message Too Large",
  603: "Decline",
} as const;

export type EdgeStatus = keyof typeof PHRASES;

export function reasonPhrase(status: EdgeStatus): string {
  return PHRASES[status];
}
