/**
 * Gives an ingress call its record, once: matched on the number's row (or, late, on the log), inserted under its key, and, when no business holds
 * the number, logged as an intercept in the same transaction. One call at a time here; opening-batch.ts opens many, and open-late-calls.ts,
 * of the same parts.
 */
import { type CallRef, findCallByKey, readStanding } from "../attribution/calls.store.js";
import { matchCall } from "../attribution/match.js";
import { type NumberFacts, readNumberFacts, readNumberFactsAt, type SeenNumber } from "../attribution/match.store.js";
import { type AttributionFields, insertCalls, type NewCall } from "../attribution/new-calls.store.js";
import type { Database, Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import type { CallId, IdSource } from "../kernel/ids.js";
import { PLATFORM_REALM, type Secrets } from "../kernel/secrets.js";
import type { AvailableWatch } from "../pool/available-watch.js";
import { insertIntercept } from "../pool/intercepts.store.js";
import { isRouted } from "../pool/promo-number.js";
import { readQuarantineSettings } from "../pool/quarantine-settings.js";
import { type CallState, newCall } from "../telephony/call-state.js";
import { type Decision, decide, dispositionOf } from "./decision.js";
import type { InboundCall } from "./inbound-call.js";
import { sealCaller, sealCallerName, sealNumber } from "./seal-caller.js";

export interface OpenCallDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly ids: IdSource;
  /** Told of calls to numbers that nobody holds and that were called clean; without it a job looks at them later. */
  readonly availableWatch?: Pick<AvailableWatch, "called"> | undefined;
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

export interface Opening {
  readonly call: InboundCall;
  readonly callId: CallId;
}

/** A call, what its match saw, and what follows from it: ready to be written. */
export interface MatchedCall extends Opening {
  /** The match's time by the database's clock, or the arrival of a late one. */
  readonly receivedAt: Instant;
  readonly facts: NumberFacts | null;
  readonly decision: Decision;
  readonly attribution: AttributionFields;
}

/** @param late the call's arrival by the database's clock, when it could not be opened in time; null now */
export async function openCall(
  deps: OpenCallDeps,
  { call, callId, late }: Opening & { readonly late: Instant | null },
): Promise<OpenedCall> {
  const seen =
    late === null
      ? await readNumberFacts(deps.db, call.promoNumber)
      : { now: late, facts: await readNumberFactsAt(deps.db, { e164: call.promoNumber, at: late }) };
  const matched = decideCall({ call, callId }, { ...seen, isLate: late !== null });
  const isNew = isIntercepted(matched)
    ? await writeIntercepted(deps, matched)
    : (await insertCalls(deps.db, [newRecord(deps, matched)])).has(callId);
  return isNew ? openedFirst(matched) : openedAgain(deps, matched);
}

export function decideCall(opening: Opening, seen: SeenNumber & { readonly isLate: boolean }): MatchedCall {
  const { facts, now, isLate } = seen;
  const decision = decide(facts === null ? null : { isRouted: isRouted(facts.state), destination: facts.destination });
  return { receivedAt: now, facts, decision, attribution: attribute(facts, now, isLate), ...opening };
}

export function isIntercepted(matched: MatchedCall): matched is MatchedCall & { readonly facts: NumberFacts } {
  return matched.decision.kind === "intercept" && matched.facts !== null;
}

/** @returns false when the ingress call has its record already */
export async function writeIntercepted(
  deps: OpenCallDeps,
  matched: MatchedCall & { readonly facts: NumberFacts },
): Promise<boolean> {
  const isNew = await deps.db.transaction(async (tx) => {
    const isInserted = (await insertCalls(tx, [newRecord(deps, matched)])).has(matched.callId);
    if (isInserted) await logIntercept(deps, tx, matched);
    return isInserted;
  });
  if (isNew && matched.facts.state === "available") deps.availableWatch?.called(matched.facts.e164);
  return isNew;
}

export function openedFirst({ callId, receivedAt, decision, attribution }: MatchedCall): OpenedCall {
  const ref = { callId, receivedAt };
  const { presentationId } = attribution;
  return { ref, decision, isRepeat: false, attemptsBefore: 0, presentationId, databaseNow: receivedAt };
}

/**
 * Of an ingress call that has its record already, which is read.
 * @param settle waits for what is still to be written of that record
 * @throws AppError("database_unavailable") also when the record is in the spool meanwhile
 */
export async function openedAgain(
  deps: OpenCallDeps,
  { call, receivedAt, decision }: MatchedCall,
  settle: (callId: CallId) => Promise<void> = () => Promise.resolve(),
): Promise<OpenedCall> {
  const ref = await findCallByKey(deps.db, call.ingressKey);
  if (ref === null) throw new AppError("database_unavailable", "The call's record could not be written yet.");
  await settle(ref.callId);
  return { ref, decision, isRepeat: true, ...(await readStanding(deps.db, ref)), databaseNow: receivedAt };
}

export function newRecord(deps: OpenCallDeps, matched: MatchedCall): NewCall {
  const { call, callId, receivedAt, facts, decision, attribution } = matched;
  const accountId = facts?.accountId ?? null;
  return {
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
    callerName: sealCallerName(deps.secrets, call),
    diversion: sealNumber(deps.secrets, call.diversion),
    disposition: dispositionOf(decision),
    destinationNumber: decision.kind === "route" ? decision.destinationNumber : null,
    progress: firstProgress(decision, receivedAt),
    judged: null,
    verstat: call.verstat,
    attribution,
    node: call.node,
  };
}

async function logIntercept(
  deps: OpenCallDeps,
  tx: Queryable,
  matched: MatchedCall & { readonly facts: NumberFacts },
): Promise<void> {
  const { call, callId, receivedAt, facts } = matched;
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
  if (match.outcome !== "matched") {
    // A static number is presented to nobody; its calls are its source's.
    const touch = facts?.standing.kind === "static" ? facts.touch : null;
    return { outcome: match.outcome, ...none, touch, ...shared };
  }
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
