/**
 * Gives an ingress call its record, once: matched on the number's row (or, late, on the log), inserted under its key, and, when no business holds
 * the number, logged as an intercept in the same transaction. Used in time by route-call.ts and afterwards by the spool.
 */
import {
  type AttributionFields,
  type CallRef,
  findCallByKey,
  insertCall,
  readStanding,
} from "../attribution/calls.store.js";
import { matchCall } from "../attribution/match.js";
import { type NumberFacts, readNumberFacts, readNumberFactsAt } from "../attribution/match.store.js";
import type { Database, Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { invariant } from "../kernel/invariant.js";
import type { CallId, IdSource } from "../kernel/ids.js";
import type { Secrets } from "../kernel/secrets.js";
import { insertIntercept } from "../pool/intercepts.store.js";
import { isRouted } from "../pool/promo-number.js";
import { readQuarantineSettings } from "../pool/quarantine-settings.js";
import { type CallState, newCall } from "../telephony/call-state.js";
import { type Decision, decide, dispositionOf } from "./decision.js";
import type { InboundCall } from "./inbound-call.js";
import { PLATFORM_REALM, sealCaller, sealNumber } from "./seal-caller.js";

export interface OpenCallDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly ids: IdSource;
}

export interface OpenedCall {
  readonly ref: CallRef;
  readonly decision: Decision;
  /** The ingress call had its record already: a retry, a duplicate, or a further attempt. */
  readonly isRepeat: boolean;
  /** Attempts the record has already: a repeat's attempts are counted on from there. */
  readonly attemptsBefore: number;
  /** Whom the record is attributed to; null unless matched. */
  readonly presentationId: string | null;
  /** The database's time of the match: what `received_at` says, unless the call had its record before. */
  readonly databaseNow: Instant;
}

/**
 * @param late the call's arrival by the database's clock, when it could not be opened in time; null now
 * @param signal aborted when nobody waits any more: a match that comes after that may see later visitors and must not be written
 */
export async function openCall(
  deps: OpenCallDeps,
  input: { call: InboundCall; callId: CallId; late: Instant | null; signal?: AbortSignal },
): Promise<OpenedCall> {
  const { call, callId, late } = input;
  const seen =
    late === null
      ? await readNumberFacts(deps.db, call.promoNumber)
      : { now: late, facts: await readNumberFactsAt(deps.db, { e164: call.promoNumber, at: late }) };
  input.signal?.throwIfAborted();
  const { facts, now: receivedAt } = seen;
  const decision = decide(facts === null ? null : { isRouted: isRouted(facts.state), destination: facts.destination });
  const attribution = attribute(facts, receivedAt, late !== null);
  const isNew = await write(deps, { call, callId, receivedAt, facts, decision, attribution });
  if (isNew) {
    const { presentationId } = attribution;
    const ref = { callId, receivedAt };
    return { ref, decision, isRepeat: false, attemptsBefore: 0, presentationId, databaseNow: receivedAt };
  }
  const ref = await findCallByKey(deps.db, call.ingressKey);
  invariant(ref !== null, "a call that was not inserted has its record already");
  return { ref, decision, isRepeat: true, ...(await readStanding(deps.db, ref)), databaseNow: receivedAt };
}

interface Writing {
  readonly call: InboundCall;
  readonly callId: CallId;
  readonly receivedAt: Instant;
  readonly facts: NumberFacts | null;
  readonly decision: Decision;
  readonly attribution: AttributionFields;
}

async function write(deps: OpenCallDeps, input: Writing): Promise<boolean> {
  const { facts, decision } = input;
  if (decision.kind !== "intercept" || facts === null) return insert(deps, deps.db, input);
  return deps.db.transaction(async (tx) => {
    const isNew = await insert(deps, tx, input);
    if (isNew) await logIntercept(deps, tx, { ...input, facts });
    return isNew;
  });
}

async function insert(deps: OpenCallDeps, db: Queryable, input: Writing): Promise<boolean> {
  const { call, callId, receivedAt, facts, decision, attribution } = input;
  const accountId = facts?.accountId ?? null;
  return insertCall(db, {
    id: callId,
    ingressKey: call.ingressKey,
    ingress: call.ingress,
    ingressCallId: call.ingressCallId,
    receivedAt,
    promoNumber: call.promoNumber,
    accountId,
    poolId: facts?.poolId ?? null,
    numberId: facts?.numberId ?? null,
    ownershipEpoch: facts?.ownershipEpoch ?? null,
    caller: sealCaller(deps.secrets, { caller: call.caller, accountId }),
    diversion: sealNumber(deps.secrets, call.diversion),
    disposition: dispositionOf(decision),
    destinationNumber: decision.kind === "route" ? decision.destinationNumber : null,
    progress: firstProgress(decision, receivedAt),
    verstat: call.verstat,
    attribution,
    node: call.node,
  });
}

async function logIntercept(deps: OpenCallDeps, tx: Queryable, input: Writing & { facts: NumberFacts }): Promise<void> {
  const { call, callId, receivedAt, facts } = input;
  const { spamCallers } = await readQuarantineSettings(tx);
  const sealed = sealCaller(deps.secrets, { caller: call.caller, accountId: null });
  await insertIntercept(tx, {
    id: deps.ids.next("itc"),
    numberId: facts.numberId,
    ownershipEpoch: facts.ownershipEpoch,
    promoNumber: call.promoNumber,
    at: receivedAt,
    ingress: call.ingress,
    callId,
    callerEnc: sealed.enc,
    callerHash: call.caller === null ? null : deps.secrets.hash(PLATFORM_REALM, call.caller),
    callerLast4: sealed.last4,
    isSpamCaller: call.caller !== null && spamCallers.includes(call.caller),
    formerAccountId: facts.formerAccountId,
  });
}

function attribute(facts: NumberFacts | null, receivedAt: Instant, late: boolean): AttributionFields {
  const match = matchCall({ standing: facts?.standing ?? { kind: "unknown" }, receivedAt });
  const none = { presentationId: null, visitorId: null, presentedAt: null, touch: null, customData: null };
  const shared = { matchedSeq: facts?.seq ?? null, late };
  if (match.outcome !== "matched") return { outcome: match.outcome, ...none, ...shared };
  const { presentationId, visitorId, presentedAt } = match.presentation;
  return {
    outcome: "matched",
    presentationId,
    visitorId,
    presentedAt,
    touch: facts?.touch ?? {},
    customData: facts?.customData ?? {},
    ...shared,
  };
}

/** Calls that reach no business are over as soon as they are answered by us. */
function firstProgress(decision: Decision, at: Instant): CallState {
  const ended = (status: "intercepted" | "failed", cause: string): CallState => ({
    ...newCall,
    end: { status, releasedBy: "system", cause, authority: 2, talkMs: null, at },
  });
  switch (decision.kind) {
    case "route":
      return newCall;
    case "intercept":
      return ended("intercepted", "intercepted");
    case "unknown":
      return ended("failed", "unknown_number");
    case "unavailable":
      return ended("failed", "no_destination");
  }
}
