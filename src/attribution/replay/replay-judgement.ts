/**
 * What was judged of calls (judge-call.ts), judged again from the log and the model that each record names, and held against it. Called by
 * replay-window.ts for every page. Left out is what no record can be asked for any more: earlier visits that retention took, fields whose rule the
 * account changed since, and what an erasure emptied.
 */
import type { Queryable } from "../../db/database.js";
import type { CallId } from "../../kernel/ids.js";
import type { DelayModel } from "../judging/delay-model.js";
import { readModel } from "../judging/delay-model.store.js";
import { judge } from "../judging/judge-call.js";
import { type OverCall, readWhatTheySaw } from "../judging/judge-calls.js";
import { type FieldDifference, isSame, type ReplayedCall, type StoredJudgement } from "./replay.js";
import { readReplayedAccounts, type ReplayedAccount } from "./replay.store.js";

type Judged = ReplayedCall & { readonly judged: StoredJudgement };
type Fields = Omit<StoredJudgement, "at" | "delayModelId"> & Pick<ReplayedCall["stored"], "customData">;

const COMPARED: readonly { readonly name: string; readonly of: (fields: Fields) => unknown }[] = [
  // The column keeps single precision.
  { name: "confidence", of: ({ confidence }) => (confidence === null ? null : Math.fround(confidence)) },
  { name: "custom_data", of: (fields) => fields.customData },
  { name: "first_touch", of: (fields) => fields.firstTouch },
  { name: "landing_page", of: (fields) => fields.landingPage },
  { name: "referrer", of: (fields) => fields.referrer },
  { name: "source", of: (fields) => fields.source },
  { name: "medium", of: (fields) => fields.medium },
  { name: "campaign", of: (fields) => fields.campaign },
  { name: "channel", of: (fields) => fields.channel },
  { name: "consent", of: (fields) => fields.consent },
];
/** What earlier visits say, which the log may have no more. */
const OF_EARLIER_VISITS = new Set(["custom_data", "first_touch"]);
/** What an erasure leaves in a visitor's place (erasures.store.ts). */
const ERASED = /^erased_/;

/** Empty: the record is what the log says. log_purged: the visit that was matched is not in the log any more. */
export type JudgementVerdict = readonly FieldDifference[] | "log_purged";

/** One for each call, in their order. */
export async function judgeAgain(db: Queryable, calls: readonly ReplayedCall[]): Promise<JudgementVerdict[]> {
  const judged = calls.filter((call): call is Judged => call.judged !== null);
  const seen = await readWhatTheySaw(db, judged.map(overCallOf));
  const accounts = await readReplayedAccounts(
    db,
    judged.flatMap(({ accountId }) => (accountId === null ? [] : [accountId])),
  );
  const models = await readModels(db, judged);
  const verdicts = new Map<ReplayedCall, JudgementVerdict>();
  for (const [i, call] of judged.entries()) {
    const { stored, judged: was } = call;
    const saw = seen[i];
    const isErased = ERASED.test(stored.visitorId ?? "");
    if (saw === undefined || isErased) continue;
    if (stored.outcome === "matched" && saw.visits.length === 0) {
      verdicts.set(call, "log_purged");
      continue;
    }
    const model = models.get(was.delayModelId) as DelayModel;
    const again = judge({ call: { ...stored, receivedAt: call.receivedAt }, model, ...saw });
    const left = isComparable(was, accounts.get(call.accountId ?? ""));
    verdicts.set(call, differences({ ...was, customData: stored.customData }, again, left));
  }
  return calls.map((call) => verdicts.get(call) ?? []);
}

function isComparable(was: StoredJudgement, account: ReplayedAccount | undefined): (field: string) => boolean {
  const isCut = account?.isLogCut ?? false;
  const isChanged = (account?.changedAt ?? 0) > was.at;
  return (field) => !(OF_EARLIER_VISITS.has(field) && isCut) && !(field === "custom_data" && isChanged);
}

function differences(stored: Fields, again: Fields, isCompared: (field: string) => boolean): FieldDifference[] {
  return COMPARED.filter(({ name }) => isCompared(name)).flatMap(({ name, of }) => {
    const [a, b] = [of(stored), of(again)];
    return isSame(a, b) ? [] : [{ field: name, stored: a, recomputed: b }];
  });
}

async function readModels(db: Queryable, calls: readonly Judged[]): Promise<Map<number | null, DelayModel>> {
  const models = new Map<number | null, DelayModel>();
  for (const { judged } of calls) {
    const { delayModelId: id } = judged;
    if (!models.has(id)) models.set(id, await readModel(db, id));
  }
  return models;
}

function overCallOf(call: Judged): OverCall {
  const { stored } = call;
  return {
    ...{ ref: { callId: call.id as CallId, receivedAt: call.receivedAt }, attribution: stored.outcome, ...stored },
    ...{ accountId: call.accountId, poolId: call.poolId, numberId: call.numberId, ownershipEpoch: call.ownershipEpoch },
    ...{ callerHash: null, late: call.late },
  };
}
