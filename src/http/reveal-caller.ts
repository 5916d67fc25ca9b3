/** Shows a caller, or who forwarded the call: the last four digits to everybody, the number only to keys with the scope calls:pii, and then with a line in the log. */
import type { FastifyRequest } from "fastify";
import { messageOf } from "../kernel/errors.js";
import { principalOf } from "./auth.js";
import type { HttpDeps } from "./http-deps.js";
import type { CallerOut } from "./contract/call.js";

interface StoredCaller {
  readonly callId: string;
  readonly enc: Buffer | null;
  readonly last4: string | null;
}

export interface CallerView {
  show(caller: StoredCaller): CallerOut;
  /** After the answer is made: one audit line for all callers shown. */
  audit(): void;
}

export function callerView(deps: Pick<HttpDeps, "secrets" | "log">, request: FastifyRequest): CallerView {
  const { keyId, scopes } = principalOf(request);
  const mayReveal = scopes.includes("calls:pii");
  const revealed = new Set<string>();
  return {
    show: ({ callId, enc, last4 }) => {
      if (!mayReveal || enc === null) return { number: null, last4 };
      try {
        const number = deps.secrets.open(enc);
        revealed.add(callId);
        return { number, last4 };
      } catch (error) {
        // One caller sealed with a key that is gone must not hide a whole page of calls.
        deps.log.error("pii.unreadable", { callId, error: messageOf(error) });
        return { number: null, last4 };
      }
    },
    audit: () => {
      if (revealed.size > 0) deps.log.info("pii.revealed", { requestId: request.id, keyId, callIds: [...revealed] });
    },
  };
}
