/** Statuses as they are said to the other leg. Used wherever one leg's answer becomes an answer on the other. */

/** What drachtio-srf has a name for; it throws at any other, in the middle of its own event, which ends the process. */
const NAMED: ReadonlySet<number> = new Set([
  180, 181, 182, 183, 200, 202, 204, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410,
  411, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 428, 429, 430, 433, 436, 437, 438, 439, 470, 480, 481,
  482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606,
]);

/** One that is not known means what the x00 of its class means, and a provisional one what 183 does (RFC 3261 §8.1.3.2). */
export function relayableStatus(status: number): number {
  if (NAMED.has(status)) return status;
  return status < 200 ? 183 : Math.floor(status / 100) * 100;
}
