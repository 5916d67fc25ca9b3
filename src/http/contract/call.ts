/** Call attribution records and their explanations on the wire. */
import { z } from "zod";
import type { CallRecord, CorrectionOf } from "../../attribution/call-record.js";
import { ATTRIBUTIONS } from "../../attribution/calls.store.js";
import type { Candidate, Explanation } from "../../attribution/explain.js";
import type { CurrentSignal } from "../../attribution/corrections/correction.js";
import { DISPOSITIONS } from "../../attribution/new-calls.store.js";
import { toIso } from "../../kernel/clock.js";
import type { Attempt } from "../../telephony/call-state.js";
import { judgedOut, repeatOut, showJudged, showRepeat } from "./judged-call.js";
import { accountQuery, e164InQuery, idIn, idOut, instantIn, instantOut, pageQuery } from "./scalars.js";

const STATUSES = [
  "ringing",
  "in_progress",
  "completed",
  "busy",
  "no_answer",
  "failed",
  "canceled",
  "intercepted",
] as const;

/** What a list of calls can be limited to; an export has no pages. */
const callFilters = {
  ...accountQuery,
  from: instantIn.optional(),
  to: instantIn.optional().meta({ description: "Exclusive" }),
  promo_number: e164InQuery.optional(),
  pool_id: idIn.optional(),
  disposition: z.enum(DISPOSITIONS).optional(),
  attribution: z.enum(ATTRIBUTIONS).optional(),
  updated_since: instantIn.optional().meta({ description: "Received, changed or corrected at or after this time" }),
};

export const callQuery = z.strictObject({
  ...pageQuery,
  ...callFilters,
  callers: z.enum(["masked"]).optional().meta({
    description:
      "masked: last four digits alone, whatever the key may see, and so no entry in the trail of who saw callers",
  }),
});
export const exportQuery = z.strictObject(callFilters);

/** With the scope calls:pii the number, else the last four digits. Both null: anonymous. */
export const callerOut = z
  .object({ number: z.string().nullable(), last4: z.string().nullable() })
  .meta({ description: "number: only with the scope calls:pii. Both null: an anonymous caller" });

export type CallerOut = z.output<typeof callerOut>;

const namedCallerOut = callerOut.extend({ name: z.string().nullable() }).meta({
  description:
    "number: only with the scope calls:pii; both numbers null: an anonymous caller. name: as the carrier looked it up or the network sent it (CNAM), unverified; only with the scope calls:pii, null where nobody named the caller",
});

/** How a sealed text is shown to whoever asks; see reveal-caller.ts. */
export interface CallView {
  show(number: { callId: string; enc: Buffer | null; last4: string | null }): CallerOut;
  reveal(sealed: { callId: string; enc: Buffer | null }): string | null;
}

const attributionOut = z.object({
  outcome: z.enum(ATTRIBUTIONS),
  presentation_id: idOut.nullable(),
  visitor_id: idOut.nullable(),
  presented_at: instantOut.nullable(),
  age_ms: z.int().nullable().meta({ description: "Presentation → call" }),
  confidence: z.number().nullable().meta({ description: "Judged when the call is over" }),
  touch: z.record(z.string(), z.unknown()).nullable(),
  custom_data: z.record(z.string(), z.unknown()).nullable(),
  ...judgedOut,
});

const signalOut = z.object({
  id: idOut,
  name: z.string(),
  partner_unique_id: z.string(),
  value: z.boolean().nullable().meta({ description: "null: taken back" }),
  revenue: z.number().nullable(),
  occurred_at: instantOut,
});

export const callOut = z.object({
  id: idOut.meta({ description: "Of this record row" }),
  call_id: idOut.meta({ description: "Of the call, the same in every row of its record; its first row's id" }),
  revision: z.int().meta({ description: "0: the call as it was received; raised by each correction or signal" }),
  correction: z
    .object({
      kind: z.enum(["correction", "signal"]),
      corrects_id: idOut.meta({ description: "The row that this one replaces" }),
      at: instantOut,
      actor: z.string(),
      reason: z.string(),
    })
    .nullable()
    .meta({ description: "What made this row; null for the call as it was received" }),
  corrected_by_id: idOut.nullable().meta({ description: "The row that replaced this one; null: this is the newest" }),
  conversion: z.boolean().nullable().meta({ description: "null: nobody said" }),
  revenue: z.number().nullable(),
  currency: z.string().nullable().meta({ description: "The account's, ISO 4217" }),
  signals: z.array(signalOut).meta({ description: "The newest of each name and partner's id" }),
  account_id: idOut.nullable(),
  pool_id: idOut.nullable(),
  received_at: instantOut,
  ingress: z.string().meta({ examples: ["sip", "twilio"] }),
  ingress_call_id: z.string(),
  promo_number: z.string().meta({ description: "As dialled when it is no E.164 number" }),
  caller: namedCallerOut,
  diversion: z.object({ number: z.string().nullable(), last4: z.string() }).nullable().meta({
    description:
      "Who forwarded the call to the promo number, last, as a trusted trunk says (Diversion, RFC 5806, else History-Info, RFC 7044) or the carrier. number: only with the scope calls:pii. null: nobody, or withheld",
  }),
  disposition: z.enum(DISPOSITIONS),
  status: z.enum(STATUSES),
  destination_number: z.string().nullable(),
  attempts: z.array(
    z.object({
      target: z.string(),
      started_at: instantOut,
      sip_status: z.int().nullable(),
      cause: z.string().nullable(),
    }),
  ),
  attribution: attributionOut,
  repeat: repeatOut,
  answered_at: instantOut.nullable(),
  ended_at: instantOut.nullable(),
  pdd_ms: z.int().nullable(),
  ring_ms: z.int().nullable(),
  talk_ms: z.int().nullable(),
  matched_seq: z.int().nullable(),
  late: z.boolean(),
  hangup_cause: z.string().nullable(),
  released_by: z.enum(["caller", "callee", "system"]).nullable(),
  verstat: z.string().nullable(),
  updated_at: instantOut,
});

export function showCall(call: CallRecord, view: CallView): z.output<typeof callOut> {
  const { attribution: a, diversion, progress } = call;
  return {
    id: call.id,
    call_id: call.callId,
    revision: call.revision,
    correction: call.correction === null ? null : showCorrectionOf(call.correction),
    corrected_by_id: call.correctedById,
    conversion: call.conversion,
    revenue: call.revenue,
    currency: call.currency,
    signals: call.signals.map(showSignal),
    account_id: call.accountId,
    pool_id: call.poolId,
    received_at: toIso(call.receivedAt),
    ingress: call.ingress,
    ingress_call_id: call.ingressCallId,
    promo_number: call.promoNumber,
    caller: {
      ...view.show({ callId: call.callId, ...call.caller }),
      name: view.reveal({ callId: call.callId, enc: call.callerName }),
    },
    diversion:
      diversion === null
        ? null
        : { number: view.reveal({ callId: call.callId, enc: diversion.enc }), last4: diversion.last4 },
    disposition: call.disposition,
    status: call.status,
    destination_number: call.destinationNumber,
    attempts: progress.attempts.filter((attempt) => attempt !== null).map(showAttempt),
    attribution: {
      outcome: a.outcome,
      presentation_id: a.presentationId,
      visitor_id: a.visitorId,
      presented_at: isoOrNull(a.presentedAt),
      // The sequence decides a match, not the clock: one that stepped back may show the presentation after the call.
      age_ms: a.presentedAt === null ? null : Math.max(0, call.receivedAt - a.presentedAt),
      confidence: a.confidence,
      touch: a.touch,
      custom_data: a.customData,
      ...showJudged(a),
    },
    repeat: showRepeat(call),
    answered_at: isoOrNull(call.answeredAt),
    ended_at: isoOrNull(call.endedAt),
    pdd_ms: call.pddMs,
    ring_ms: call.ringMs,
    talk_ms: call.talkMs,
    matched_seq: a.matchedSeq,
    late: a.late,
    hangup_cause: call.hangupCause,
    released_by: call.releasedBy,
    verstat: call.verstat,
    updated_at: toIso(call.updatedAt),
  };
}

const candidateOut = z.object({
  presentation_id: idOut,
  visitor_id: idOut,
  seq: z.int(),
  presented_at: instantOut,
  retained_until: instantOut,
  age_ms: z.int(),
  within_retention: z.boolean(),
  probability: z.number().nullable().meta({ description: "Null outside retention" }),
  chosen: z.boolean(),
});

export const explanationOut = z.object({
  call_id: idOut,
  outcome: z.enum(ATTRIBUTIONS),
  reason: z.string(),
  confidence: z.number().nullable(),
  candidates: z.array(candidateOut).meta({ description: "Every visitor considered, latest first" }),
  runner_up: candidateOut.nullable(),
  model: z
    .object({
      kind: z.enum(["prior", "measured"]).meta({ description: "prior: the pool had measured nothing else" }),
      id: z.int().nullable(),
      calls: z.int().meta({ description: "Matched calls it was measured from" }),
      call_share: z.number().meta({ description: "Share of presentations that a call follows" }),
      background_rate_per_s: z
        .number()
        .meta({ description: "Calls a second on one number that no presentation caused" }),
    })
    .meta({ description: "What the probabilities were computed with; the one of the record's own time" }),
});

export function showExplanation(call: CallRecord, explanation: Explanation): z.output<typeof explanationOut> {
  const { reason, confidence, candidates, runnerUp, model } = explanation;
  return {
    call_id: call.id,
    outcome: call.attribution.outcome,
    reason,
    confidence,
    candidates: candidates.map(showCandidate),
    runner_up: runnerUp === null ? null : showCandidate(runnerUp),
    model: {
      kind: model.source,
      id: model.id,
      calls: model.calls,
      call_share: model.callShare,
      background_rate_per_s: model.backgroundPerS,
    },
  };
}

function showCandidate(candidate: Candidate): z.output<typeof candidateOut> {
  return {
    presentation_id: candidate.presentationId,
    visitor_id: candidate.visitorId,
    seq: candidate.seq,
    presented_at: toIso(candidate.presentedAt),
    retained_until: toIso(candidate.retainedUntil),
    age_ms: candidate.ageMs,
    within_retention: candidate.withinRetention,
    probability: candidate.probability,
    chosen: candidate.chosen,
  };
}

function showAttempt(attempt: Attempt): z.output<typeof callOut>["attempts"][number] {
  const { target, startedAt, sipStatus, cause } = attempt;
  return { target, started_at: toIso(startedAt), sip_status: sipStatus, cause };
}

function showCorrectionOf({ kind, correctsId, at, actor, reason }: CorrectionOf) {
  return { kind, corrects_id: correctsId, at: toIso(at), actor, reason };
}

export function showSignal(signal: CurrentSignal): z.output<typeof signalOut> {
  const { id, name, partnerUniqueId, value, revenue, occurredAt } = signal;
  return { id, name, partner_unique_id: partnerUniqueId, value, revenue, occurred_at: toIso(occurredAt) };
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : toIso(at);
}
