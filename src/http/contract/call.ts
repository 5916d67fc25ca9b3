/** Call attribution records and their explanations on the wire. */
import { z } from "zod";
import { ATTRIBUTIONS, type CallRecord } from "../../attribution/calls.store.js";
import type { Candidate, Explanation } from "../../attribution/explain.js";
import { DISPOSITIONS } from "../../attribution/new-calls.store.js";
import { toIso } from "../../kernel/clock.js";
import type { Attempt } from "../../telephony/call-state.js";
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
  updated_since: instantIn.optional(),
};

export const callQuery = z.strictObject({ ...pageQuery, ...callFilters });
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
});

export const callOut = z.object({
  id: idOut,
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
    account_id: call.accountId,
    pool_id: call.poolId,
    received_at: toIso(call.receivedAt),
    ingress: call.ingress,
    ingress_call_id: call.ingressCallId,
    promo_number: call.promoNumber,
    caller: {
      ...view.show({ callId: call.id, ...call.caller }),
      name: view.reveal({ callId: call.id, enc: call.callerName }),
    },
    diversion:
      diversion === null
        ? null
        : { number: view.reveal({ callId: call.id, enc: diversion.enc }), last4: diversion.last4 },
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
    },
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
});

export function showExplanation(call: CallRecord, explanation: Explanation): z.output<typeof explanationOut> {
  const { reason, confidence, candidates, runnerUp } = explanation;
  return {
    call_id: call.id,
    outcome: call.attribution.outcome,
    reason,
    confidence,
    candidates: candidates.map(showCandidate),
    runner_up: runnerUp === null ? null : showCandidate(runnerUp),
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

function isoOrNull(at: number | null): string | null {
  return at === null ? null : toIso(at);
}
