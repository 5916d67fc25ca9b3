/** The response that nobody sent: what an app gets when its request timed out, could not be sent, or was cancelled without an answer. */
import { type EdgeStatus, reasonPhrase } from "./reason-phrases.js";
import type { SipRequest, SipResponse } from "./sip-message.js";

const COPIED = ["via", "from", "to", "call-id", "cseq"];

export function failureResponse(request: SipRequest, status: EdgeStatus): SipResponse {
  return {
    kind: "response",
    status,
    reason: reasonPhrase(status),
    headers: request.headers.filter((one) => COPIED.includes(one.key)),
    body: "",
  };
}
