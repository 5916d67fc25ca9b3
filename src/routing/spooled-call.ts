/** An inbound call as the spool keeps it on disk: the caller's number and name, and who forwarded the call, are sealed. Used by call-log.ts and spool-replay.ts. */
import type { CallRef } from "../attribution/calls.store.js";
import type { NewCall } from "../attribution/new-calls.store.js";
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
  const seal = (text: string | null): Buffer | null => (text === null ? null : secrets.seal(text));
  const { caller, callerName, diversion } = call;
  return spooledAs(call, { caller: seal(caller), callerName: seal(callerName), diversion: seal(diversion) });
}

/** As its record keeps it, so that nothing is sealed twice. */
export function toSpoolAs(
  call: InboundCall,
  record: Pick<NewCall, "caller" | "callerName" | "diversion">,
): SpooledCall {
  const { caller, callerName, diversion } = record;
  return spooledAs(call, { caller: caller.enc, callerName, diversion: diversion?.enc ?? null });
}

function spooledAs(
  { caller: _caller, callerName: _callerName, diversion: _diversion, ...rest }: InboundCall,
  sealed: Readonly<Record<"caller" | "callerName" | "diversion", Buffer | null>>,
): SpooledCall {
  return {
    ...rest,
    callerSealed: sealed.caller?.toString("base64") ?? null,
    callerNameSealed: sealed.callerName?.toString("base64") ?? null,
    diversionSealed: sealed.diversion?.toString("base64") ?? null,
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

function opened(secrets: Secrets, text: string | null): string | null {
  return text === null ? null : secrets.open(Buffer.from(text, "base64"));
}

/** A call to be given its record. */
export interface OpenedLater extends CallRef {
  readonly kind: "open";
  readonly call: SpooledCall;
}

/** What happened to a call. */
export interface SpooledEvents {
  readonly kind: "events";
  readonly ref: CallRef;
  readonly ingressKey: string | null;
  readonly events: readonly CallEvent[];
}

/** A line of the spool: a call, or what happened to one. */
export type SpoolEntry = OpenedLater | SpooledEvents;
