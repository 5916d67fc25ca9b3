/**
 * Later knowledge about a call becomes a record row after the newest one: a correction by somebody who knows better, or signals of what came of the call.
 * Called by the API's routes. One transaction each; whoever comes second goes on from what the first one wrote.
 */
import type { Database, Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import type { IdSource } from "../../kernel/ids.js";
import type { CallRecord } from "../call-record.js";
import { getCall } from "../calls.store.js";
import { campaignOf, channelOf, mediumOf, sourceOf } from "../judging/channel.js";
import { outcomeAfter, type OutcomeChange } from "./correction.js";
import {
  addCorrection,
  type CorrectedAttribution,
  findLatestView,
  isAmountTooLarge,
  lockNewestRow,
  type NewestRow,
} from "./corrections.store.js";
import { PRIOR_MODEL } from "../judging/delay-model.js";
import { readVisits } from "../judging/judge.store.js";
import { judge } from "../judging/judge-call.js";
import type { AttributionOutcome } from "../match.js";
import { insertSignal, readSignals, type StoredSignal } from "./signals.store.js";
import type { Touch } from "../touch.js";

/** No person and no integration corrects one call more often; a loop does. */
const REVISIONS_MAX = 1_000;
/** Of a record, whatever many corrections add: four times as many as one request may bring. Each row holds them all. */
export const RECORD_FIELDS_MAX = 100;

export interface CorrectionDeps {
  readonly db: Database;
  readonly ids: IdSource;
}

/** Which call, and who says so. */
interface Asked {
  /** Of any row of the call's record. */
  readonly id: string;
  /** Whose calls may be corrected; null: anybody's. */
  readonly accountId: string | null;
  readonly actor: string;
}

export type AttributionChange =
  | { readonly kind: "presentation"; readonly presentationId: string }
  /** Their latest presentation at or before the call. */
  | { readonly kind: "visitor"; readonly visitorId: string }
  | { readonly kind: "nobody"; readonly outcome: Exclude<AttributionOutcome, "matched"> };

export interface CallCorrection extends Asked, OutcomeChange {
  readonly reason: string;
  /** The row that the sender has seen; another newest one is a conflict. Left out: whatever is the newest. */
  readonly correctsId?: string | undefined;
  readonly match?: AttributionChange | undefined;
  /** Instead of what there is; left out: the new match's, or as it is. */
  readonly touch?: Touch | undefined;
  /** Fields that are added or changed. */
  readonly customData?: Readonly<Record<string, unknown>> | undefined;
}

/** @returns the new row. @throws AppError("not_found", "conflict", "invalid_value") */
export async function correctCall(deps: CorrectionDeps, correction: CallCorrection): Promise<CallRecord> {
  const id = deps.ids.next("call");
  await refusingLargeAmounts(() =>
    deps.db.transaction(async (tx) => {
      const newest = await lockOwned(tx, correction);
      if (correction.correctsId !== undefined && correction.correctsId !== newest.id) {
        throw new AppError("conflict", `The call's newest record row is ${newest.id}: look at it, then correct that.`);
      }
      const { kind, actor, reason } = { kind: "correction" as const, ...correction };
      const counted = outcomeAfter(newest, correction, await readSignals(tx, newest.callId));
      const corrected = await correctedAttribution(tx, newest, correction);
      await addCorrection(tx, newest, { id, kind, actor, reason, corrected, ...counted });
    }),
  );
  return getCall(deps.db, { id, accountId: correction.accountId });
}

export interface Signal {
  readonly name: string;
  readonly partnerUniqueId: string;
  /** null: it takes back what the signal said. */
  readonly value: boolean | null;
  readonly revenue: number | null;
  /** null: not said. */
  readonly occurredAt: Instant | null;
}

export interface SignalResult {
  readonly signal: StoredSignal;
  /** false: it was known exactly so. */
  readonly isNew: boolean;
}

export interface SignalsResult {
  /** In the order they were sent. */
  readonly results: readonly SignalResult[];
  /** The call's newest row: one that these signals made, unless all were known. */
  readonly record: CallRecord;
}

/** @throws AppError("not_found", "conflict", "invalid_value") */
export async function recordSignals(
  deps: CorrectionDeps,
  asked: Asked & { readonly signals: readonly Signal[] },
): Promise<SignalsResult> {
  const { ids } = deps;
  const { actor, signals } = asked;
  const done = await refusingLargeAmounts(() =>
    deps.db.transaction(async (tx) => {
      const newest = await lockOwned(tx, asked);
      const current = new Map((await readSignals(tx, newest.callId)).map((signal) => [keyOf(signal), signal]));
      // Of several with one name and id the last counts: all of them are known when it is, as when the request is sent again.
      const last = new Map(signals.map((signal) => [keyOf(signal), signal]));
      const results: SignalResult[] = [];
      for (const signal of signals) {
        const before = current.get(keyOf(signal)) ?? null;
        if (before !== null && (isSame(before, signal) || isSame(before, last.get(keyOf(signal)) ?? signal))) {
          results.push({ signal: before, isNew: false });
          continue;
        }
        const stored = await insertSignal(tx, { newest, before, signal: { ...signal, id: ids.next("sig"), actor } });
        current.set(keyOf(signal), stored);
        results.push({ signal: stored, isNew: true });
      }
      const added = results.filter(({ isNew }) => isNew);
      if (added.length === 0) return { results, id: newest.id };
      const id = ids.next("call");
      const reason = `signal: ${added.map(({ signal }) => signal.name).join(", ")}`.slice(0, REASON_CHARS_MAX);
      const counted = outcomeAfter(newest, {}, [...current.values()]);
      await addCorrection(tx, newest, { id, kind: "signal", actor, reason, corrected: newest.corrected, ...counted });
      return { results, id };
    }),
  );
  return { results: done.results, record: await getCall(deps.db, { id: done.id, accountId: asked.accountId }) };
}

/** The column holds no more. */
export const REASON_CHARS_MAX = 1_000;

function keyOf({ name, partnerUniqueId }: Pick<Signal, "name" | "partnerUniqueId">): string {
  return JSON.stringify([name, partnerUniqueId]);
}

/** A repeated request without a time means the time that was taken for it at first. */
function isSame(before: StoredSignal, { value, revenue, occurredAt }: Signal): boolean {
  return (
    before.value === value && before.revenue === revenue && (occurredAt === null || before.occurredAt === occurredAt)
  );
}

async function lockOwned(tx: Queryable, { id, accountId }: Asked): Promise<NewestRow> {
  const newest = await lockNewestRow(tx, { id, accountId });
  if (newest === null) throw new AppError("not_found", "There is no such call.");
  if (newest.accountId === null) {
    throw new AppError("conflict", "Nobody held the number when it was called: there is no account to correct it for.");
  }
  if (newest.revision >= REVISIONS_MAX) {
    throw new AppError(
      "conflict",
      `The call has been corrected ${REVISIONS_MAX} times; no further correction is taken.`,
    );
  }
  return newest;
}

/** @returns null while no correction has changed whom the call belongs to */
async function correctedAttribution(
  tx: Queryable,
  newest: NewestRow,
  { match, touch, customData }: CallCorrection,
): Promise<CorrectedAttribution | null> {
  if (match === undefined && touch === undefined && customData === undefined) return newest.corrected;
  if (!newest.isOver) {
    throw new AppError("conflict", "The call is still going on: whom it belongs to is judged when it is over.");
  }
  const base = match === undefined ? newest.attribution : await matchTo(tx, newest, match);
  return {
    ...base,
    ...(touch === undefined ? {} : { touch, ...sourceIn(touch, base.referrer) }),
    customData: customData === undefined ? base.customData : withFields(base.customData, customData),
  };
}

function withFields(
  before: CorrectedAttribution["customData"],
  added: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const fields = { ...before, ...added };
  if (Object.keys(fields).length > RECORD_FIELDS_MAX) {
    throw new AppError("invalid_value", "The call's record would have too many custom fields.", {
      fields: [{ path: "custom_data", message: `a record has at most ${RECORD_FIELDS_MAX} fields` }],
    });
  }
  return fields;
}

function sourceIn(touch: Touch, referrer: string | null) {
  return {
    source: sourceOf(touch, referrer),
    medium: mediumOf(touch, referrer),
    campaign: campaignOf(touch),
    channel: channelOf(touch, referrer),
  };
}

const NOBODY = {
  ...{ presentationId: null, visitorId: null, presentedAt: null, touch: null, customData: null, consent: null },
  ...{ confidence: null, firstTouch: null, landingPage: null, referrer: null },
  ...{ source: null, medium: null, campaign: null, channel: null },
} as const;

async function matchTo(tx: Queryable, newest: NewestRow, match: AttributionChange): Promise<CorrectedAttribution> {
  if (match.kind === "nobody") return { outcome: match.outcome, ...NOBODY };
  const view = await findLatestView(tx, newest, match);
  if (view === null) {
    const path = match.kind === "visitor" ? "attribution.visitor_id" : "attribution.presentation_id";
    const message =
      match.kind === "visitor"
        ? "was presented no number of this account at or before the call"
        : "is no presentation of the called number at or before the call";
    throw new AppError("invalid_value", "The log knows of no such presentation.", { fields: [{ path, message }] });
  }
  const { seq, numberId, ...matched } = view;
  const { accountId, receivedAt } = newest;
  const [way] = await readVisits(tx, [{ ...matched, accountId: accountId ?? "", numberId, matchedSeq: seq }]);
  // Somebody says so: there are no candidates to weigh, and no confidence.
  const { delayModelId: _none, ...judged } = judge({
    call: { outcome: "matched", ...matched, receivedAt },
    candidates: [],
    visits: way?.visits ?? [],
    model: PRIOR_MODEL,
    customDataModels: way?.models ?? {},
  });
  return { outcome: "matched", ...matched, ...judged };
}

async function refusingLargeAmounts<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isAmountTooLarge(error)) throw error;
    const fields = [{ path: "revenue", message: "is out of range" }];
    throw new AppError("invalid_value", "The amount cannot be stored.", { fields, cause: error });
  }
}
