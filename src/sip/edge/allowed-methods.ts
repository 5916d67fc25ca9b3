/** What a peer may send us, as the Allow header of OPTIONS and of 405 says it (RFC 3261 §20.5): the app's answers and the edge's own. */
import { header } from "./sip-message.js";

const ALLOWED_METHODS = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE"] as const;

export const ALLOW = ALLOWED_METHODS.join(", ");
export const ALLOW_HEADER = header("Allow", ALLOW);

/** Methods are case-sensitive (§7.1). */
export function isAllowed(method: string): boolean {
  return ALLOWED_METHODS.some((allowed) => allowed === method);
}
