/**
 * `ringmatch replay`: every call of a window attributed again, from the log and the numbers' history alone, and held against its record. In time and
 * late calls each by their own rule. Bounded memory: a page of calls, and the first differences.
 */
import type { Queryable } from "../../db/database.js";
import type { AttributionOutcome } from "../match.js";
import { judgeAgain, type JudgementVerdict } from "./replay-judgement.js";
import { type NumberFacts, readNumbersFactsAt } from "../match.store.js";
import {
  type Attributed,
  attributedBy,
  type FieldDifference,
  moveSeen,
  type NumberMove,
  type ReplayedCall,
  standingSeen,
  type Unverifiable,
  type Verdict,
  verdictOf,
} from "./replay.js";
import {
  readLogged,
  readMoves,
  readReplayPage,
  readSources,
  readWitnesses,
  type ReplayWindow,
} from "./replay.store.js";

/** Some statements of a few ms each; a few hundred kB. */
const CALLS_A_PAGE = 500;
/** Somebody reads them; the count says how many there are. */
const DIFFERENCES_LISTED_MAX = 100;

export interface CallDifference {
  readonly callId: string;
  readonly receivedAt: number;
  readonly promoNumber: string;
  readonly late: boolean;
  readonly fields: readonly FieldDifference[];
}

export interface ReplayReport {
  readonly calls: number;
  readonly equal: number;
  readonly different: number;
  readonly unverifiable: Readonly<Record<Unverifiable, number>>;
  /** Attributed after the fact. */
  readonly late: number;
  /** Have corrections; the record as the call made it is what was replayed. */
  readonly corrected: number;
  /** As stored. */
  readonly outcomes: Readonly<Partial<Record<AttributionOutcome, number>>>;
  /** The first of them. */
  readonly differences: readonly CallDifference[];
}

/** @param pageSize tests have fewer calls */
export async function replayWindow(
  db: Queryable,
  window: ReplayWindow,
  pageSize = CALLS_A_PAGE,
): Promise<ReplayReport> {
  const tally = createTally();
  for (let after: ReplayedCall | null = null; ; ) {
    const calls: ReplayedCall[] = await readReplayPage(db, { ...window, after, limit: pageSize });
    const recomputed = await recompute(db, calls);
    const judged = await judgeAgain(db, calls);
    for (const [i, call] of calls.entries()) tally.add(call, recomputed[i] as Recomputed, judged[i] ?? []);
    after = calls.at(-1) ?? null;
    if (calls.length < pageSize) return tally.report();
  }
}

type Recomputed = Attributed | Unverifiable;

/** For each call, in their order. */
async function recompute(db: Queryable, calls: readonly ReplayedCall[]): Promise<Recomputed[]> {
  const late = calls.filter((call) => call.late);
  const inTime = calls.filter((call) => !call.late);
  const found = new Map<ReplayedCall, Recomputed>();
  await recomputeLate(db, late, found);
  await recomputeInTime(db, inTime, found);
  return calls.map((call) => found.get(call) as Recomputed);
}

/** As the service attributes what it could not match in time: what was committed when the call came. */
async function recomputeLate(db: Queryable, calls: readonly ReplayedCall[], found: Map<ReplayedCall, Recomputed>) {
  const asked = calls.map((call) => ({ e164: call.promoNumber, at: call.receivedAt }));
  const facts = await readNumbersFactsAt(db, asked);
  const standings = facts.map((seen) => seen?.standing ?? ({ kind: "unknown" } as const));
  const needsLine = calls.flatMap((_, i) => (standings[i]?.kind === "pooled" ? [i] : []));
  const witnesses = await readWitnesses(
    db,
    needsLine.map((i) => calls[i] as ReplayedCall),
  );
  const purged = new Set(needsLine.filter((_, at) => witnesses[at] === false));
  const sources = await sourcesOf(db, calls, facts);
  for (const [i, call] of calls.entries()) {
    const seen = facts[i] ?? null;
    const standing = standings[i] ?? { kind: "unknown" };
    const told = { touch: seen?.touch ?? null, customData: seen?.customData ?? null };
    const attributed = attributedBy({ standing, receivedAt: call.receivedAt, seq: seen?.seq ?? null, told });
    found.set(call, purged.has(i) ? "log_purged" : sources.has(i) ? "source_changed" : attributed);
  }
}

/** Places of calls whose static number's source was edited since. */
async function sourcesOf(db: Queryable, calls: readonly ReplayedCall[], facts: readonly (NumberFacts | null)[]) {
  const statics = facts.flatMap((seen, i) => (seen?.standing.kind === "static" ? [{ seen, i }] : []));
  const moves = statics.map(({ seen }) => ({ numberId: seen.numberId, ownershipEpoch: seen.ownershipEpoch }));
  const sources = await readSources(db, moves);
  const changed = statics.filter(({ i }, at) => (sources[at]?.updatedAt ?? 0) > (calls[i]?.receivedAt ?? 0));
  return new Set(changed.map(({ i }) => i));
}

/** From the history and the log at or below the sequence that the match saw; the number's row, which the match read, is not looked at. */
async function recomputeInTime(db: Queryable, calls: readonly ReplayedCall[], found: Map<ReplayedCall, Recomputed>) {
  const moves = await readMoves(db, calls);
  const seen = calls.map((call, i) => ({ call, move: moveSeen(call, moves[i] ?? []) }));
  const ofKind = (kind: "pooled" | "static") =>
    seen.filter((one): one is { call: ReplayedCall; move: NumberMove } => standingSeen(one.move, null).kind === kind);
  const pooled = ofKind("pooled");
  const logged = await readLogged(db, pooled);
  const doubtful = pooled.filter(({ call }, i) => logged[i]?.seq !== call.stored.matchedSeq).map(({ call }) => call);
  const witnesses = await readWitnesses(db, doubtful);
  const purged = new Set(doubtful.filter((_, i) => witnesses[i] === false));
  const lines = new Map(pooled.map(({ call }, i) => [call, logged[i] ?? null]));
  const statics = ofKind("static");
  const sources = await readSources(
    db,
    statics.map(({ move }) => move),
  );
  const sourceOf = new Map(statics.map(({ call }, i) => [call, sources[i] ?? null]));

  for (const { call, move } of seen) {
    const line = lines.get(call) ?? null;
    const source = sourceOf.get(call) ?? null;
    const told = { touch: line?.touch ?? source?.touch ?? null, customData: line?.customData ?? null };
    const standing = standingSeen(move, line);
    // The sequence that it saw is the one thing that only the record knows.
    const seq = move === null ? null : call.stored.matchedSeq;
    const attributed = attributedBy({ standing, receivedAt: call.receivedAt, seq, told });
    const isChanged = source !== null && source.updatedAt > call.receivedAt;
    found.set(call, purged.has(call) ? "log_purged" : isChanged ? "source_changed" : attributed);
  }
}

/** Custom data is judged over what the match saw, and compared there. */
function matchOnly(call: ReplayedCall, recomputed: Recomputed): Recomputed {
  if (typeof recomputed === "string" || call.judged === null) return recomputed;
  return { ...recomputed, customData: call.stored.customData };
}

function withJudgement(match: Verdict, judged: JudgementVerdict): Verdict {
  if (match.kind === "unverifiable") return match;
  if (judged === "log_purged") return match.kind === "equal" ? { kind: "unverifiable", reason: judged } : match;
  if (judged.length === 0) return match;
  return { kind: "different", fields: [...(match.kind === "different" ? match.fields : []), ...judged] };
}

function createTally() {
  const differences: CallDifference[] = [];
  const unverifiable = { log_purged: 0, source_changed: 0 };
  const outcomes: Partial<Record<AttributionOutcome, number>> = {};
  const counts = { calls: 0, equal: 0, different: 0, late: 0, corrected: 0 };
  return {
    add: (call: ReplayedCall, recomputed: Recomputed, judged: JudgementVerdict): void => {
      const { outcome } = call.stored;
      counts.calls++;
      if (call.late) counts.late++;
      if (call.revision > 0) counts.corrected++;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      const verdict = withJudgement(verdictOf(call.stored, matchOnly(call, recomputed)), judged);
      if (verdict.kind === "equal") counts.equal++;
      else if (verdict.kind === "unverifiable") unverifiable[verdict.reason]++;
      else {
        counts.different++;
        const { id: callId, receivedAt, promoNumber, late } = call;
        if (differences.length < DIFFERENCES_LISTED_MAX)
          differences.push({ callId, receivedAt, promoNumber, late, fields: verdict.fields });
      }
    },
    report: (): ReplayReport => ({ ...counts, unverifiable, outcomes, differences }),
  };
}
