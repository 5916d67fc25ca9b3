/**
 * Shows a caller, or who forwarded the call: the last four digits to everybody, number and name only to keys with the scope calls:pii, and then with an
 * entry in the trail (GET /v1/pii_access).
 */
import type { FastifyRequest } from "fastify";
import { insertPiiAccess } from "../account/pii-access.store.js";
import { messageOf } from "../kernel/errors.js";
import { principalOf } from "./auth.js";
import type { HttpDeps } from "./http-deps.js";
import type { CallView } from "./contract/call.js";

interface CallerView extends CallView {
  /** After the answer is made and before it goes out: one entry of the trail for all callers shown. @throws when it cannot be written */
  audit(): Promise<void>;
}

/** @param isMasked the asker wants no more than the last four digits */
export function callerView(
  deps: Pick<HttpDeps, "db" | "secrets" | "log">,
  request: FastifyRequest,
  { isMasked = false } = {},
): CallerView {
  const { keyId, accountId, scopes } = principalOf(request);
  const mayReveal = !isMasked && scopes.includes("calls:pii");
  const revealed = new Set<string>();
  const reveal: CallView["reveal"] = ({ callId, enc }) => {
    if (!mayReveal || enc === null) return null;
    try {
      const text = deps.secrets.open(enc);
      revealed.add(callId);
      return text;
    } catch (error) {
      // One caller sealed with a key that is gone must not hide a whole page of calls.
      deps.log.error("pii.unreadable", { callId, error: messageOf(error) });
      return null;
    }
  };
  return {
    reveal,
    show: ({ callId, enc, last4 }) => ({ number: reveal({ callId, enc }), last4 }),
    audit: async () => {
      if (revealed.size === 0) return;
      const access = { keyId, accountId, requestId: request.id, callIds: [...revealed] };
      await insertPiiAccess(deps.db, access);
      deps.log.info("pii.revealed", { requestId: request.id, keyId, callIds: [...revealed] });
    },
  };
}
