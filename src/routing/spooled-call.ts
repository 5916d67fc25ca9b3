/** An inbound call as the spool keeps it on disk: the caller's number and name, and who forwarded the call, are sealed. Used by call-log.ts and spool-replay.ts. */
import type { CallRef } from "../attribution/calls.store.js";
import type { Instant } from "../kernel/clock.js";
import type { CallId } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";
import type { CallEvent } from "../telephony/call-event.js";
import type { InboundCall } from "./inbound-call.js";

export type SpooledCall = Omit<InboundCall, "caller" | "callerName" | "diversion"> & {
  readonly callerSealed: string | null;
  /** Missing in lines of a version that did not know them. */
  readonly callerNameSealed?: string | null;
  readonly diversionSealed?: string | null;
};

export function toSpool(secrets: Secrets, call: InboundCall): SpooledCall {
  const { caller, callerName, diversion, ...rest } = call;
  return {
    ...rest,
    callerSealed: sealed(secrets, caller),
    callerNameSealed: sealed(secrets, callerName),
    diversionSealed: sealed(secrets, diversion),
  };
}

/** @throws AppError("secret_unreadable") when the key it was sealed with is gone */
export function fromSpool(secrets: Secrets, spooled: SpooledCall): InboundCall {
  const { callerSealed, callerNameSealed = null, diversionSealed = null, ...rest } = spooled;
  return {
    ...rest,
    caller: opened(secrets, callerSealed),
    callerName: opened(secrets, callerNameSealed),
    diversion: opened(secrets, diversionSealed),
  };
}

function sealed(secrets: Secrets, text: string | null): string | null {
  return text === null ? null : secrets.seal(text).toString("base64");
}

function opened(secrets: Secrets, text: string | null): string | null {
  return text === null ? null : secrets.open(Buffer.from(text, "base64"));
}

/** A line of the spool: a call to be given its record, or what happened to one. */
export type SpoolEntry =
  | { readonly kind: "open"; readonly callId: CallId; readonly receivedAt: Instant; readonly call: SpooledCall }
  | {
      readonly kind: "events";
      readonly ref: CallRef;
      readonly ingressKey: string | null;
      readonly events: readonly CallEvent[];
    };
