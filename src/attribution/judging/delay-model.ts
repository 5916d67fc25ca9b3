/**
 * What a pool's calls say about when people call: the density f of the delay between presentation and call, how many of its visitors call at all (π),
 * and how often a number rings that nobody was presented (β). Made from measurements now and then, kept as immutable versions, and named by the
 * records that were judged with it, so that their confidence can be computed again. Pure.
 *
 * f is made from callDelays (pool/call-delays.ts): the pool's own delays up to its retention horizon, the prior's beyond it, and the prior's
 * alone with few calls. Single delays are no density: they are counted in bins that grow by √2 from a quarter of a minute to 72 h, with twenty more
 * calls that came as the prior says. A bin is then never empty, so no match is ever impossible; and f need not fall with the delay, since people
 * who call in the evening what they saw in the morning make a hill of their own.
 */
import { DELAY_PRIOR } from "../../pool/delay-prior.js";
import { callDelays, type DelayPart, shareWithin } from "../../pool/call-delays.js";

/** `masses` add up to `share`; one more edge than masses, ascending, in seconds. */
interface HistogramPart {
  readonly kind: "histogram";
  readonly edgesS: readonly number[];
  readonly masses: readonly number[];
}

export type DensityPart = Exclude<DelayPart, { kind: "measured" }> | HistogramPart;

export interface DelayModel {
  /** Of the version a record names; null: the prior, which every version of the service knows. */
  readonly id: number | null;
  readonly source: "prior" | "measured";
  /** How many matched calls it was measured from. */
  readonly calls: number;
  readonly parts: readonly DensityPart[];
  /** π: the share of presentations that a call follows. Scales f so that it can be weighed against β. */
  readonly callShare: number;
  /** β: calls per second on one number that no presentation caused. */
  readonly backgroundPerS: number;
}

/** π until a pool has measured its own, as 100 visitors of whom three called: from general knowledge of call tracking. */
const CALL_SHARE_PRIOR = { calls: 3, visitors: 100 };
/** β until then, as one call in ten number-days: the rate at which quarantine calls a number clean (domain notes §5.4). */
const BACKGROUND_PRIOR = { calls: 1, seconds: 864_000 };

export const PRIOR_MODEL: DelayModel = {
  id: null,
  source: "prior",
  calls: 0,
  parts: callDelays({ delaysS: [], horizonS: Infinity }).parts.flatMap((part) =>
    part.kind === "measured" ? [] : part,
  ),
  callShare: CALL_SHARE_PRIOR.calls / CALL_SHARE_PRIOR.visitors,
  backgroundPerS: BACKGROUND_PRIOR.calls / BACKGROUND_PRIOR.seconds,
};

/** f at a delay, per second. Of the whole: its integral over all delays is one, but for what the prior itself leaves out. */
export function densityPerS(parts: readonly DensityPart[], delayMs: number): number {
  const s = Math.max(0, delayMs) / 1000;
  let density = 0;
  for (const part of parts) density += partAt(part, s);
  return density;
}

function partAt(part: DensityPart, s: number): number {
  if (part.kind === "histogram") return histogramAt(part, s);
  if (s < part.fromS || s >= part.toS) return 0;
  if (part.kind === "exponential") return (part.share / part.meanS) * Math.exp(-s / part.meanS);
  return s <= part.spanS ? part.share / part.spanS : 0;
}

function histogramAt({ edgesS, masses }: HistogramPart, s: number): number {
  const bin = edgesS.findIndex((edge) => edge > s) - 1;
  const from = edgesS[bin];
  const to = edgesS[bin + 1];
  return from === undefined || to === undefined ? 0 : (masses[bin] as number) / (to - from);
}

export interface Measured {
  /** From presentation to call, of matched calls, in any order. */
  readonly delaysS: readonly number[];
  /** N/λ while they were measured; may be infinite. */
  readonly horizonS: number;
  /** Matched calls and presentations of one stretch of time. */
  readonly matchedCalls: number;
  readonly presentations: number;
  /** Calls that came to numbers while no presentation of theirs was within retention, and for how long numbers stood so. */
  readonly unexplainedCalls: number;
  readonly unexplainedNumberS: number;
}

/** Thirty years: a stored model has no infinity, and no call is matched after 72 h. */
const ENDLESS_S = 1e9;

export type NewModel = Omit<DelayModel, "id" | "source">;

export function modelOf(measured: Measured): NewModel {
  const { parts, calls } = callDelays(measured);
  return {
    calls,
    parts: parts.map((part) =>
      part.kind === "measured" ? histogramOf(part) : { ...part, toS: Math.min(part.toS, ENDLESS_S) },
    ),
    callShare: Math.min(
      1,
      (measured.matchedCalls + CALL_SHARE_PRIOR.calls) / (measured.presentations + CALL_SHARE_PRIOR.visitors),
    ),
    backgroundPerS:
      (measured.unexplainedCalls + BACKGROUND_PRIOR.calls) / (measured.unexplainedNumberS + BACKGROUND_PRIOR.seconds),
  };
}

/** Nothing under fifteen seconds is told apart: it takes as long to dial. */
const FIRST_BIN_S = 15;
const BIN_GROWTH = Math.SQRT2;
/** Calls that the histogram has beside the measured ones, spread as the prior is: few beside 200, enough that no bin is empty. */
const SMOOTHING_CALLS = 20;

const EDGES_S: readonly number[] = (() => {
  const edges = [0];
  for (let edge = FIRST_BIN_S; edge < DELAY_PRIOR.late.spanS; edge *= BIN_GROWTH) edges.push(Math.round(edge));
  return [...edges, DELAY_PRIOR.late.spanS];
})();

function histogramOf({ share, delaysS }: DelayPart & { kind: "measured" }): HistogramPart {
  const first = delaysS[0] as number;
  const last = delaysS[delaysS.length - 1] as number;
  // Only the bins that its delays reach, so that those seen beyond the horizon are not spread over what lies within it.
  const from = Math.max(0, EDGES_S.findIndex((edge) => edge > first) - 1);
  const beyond = EDGES_S.findIndex((edge) => edge > last);
  const edgesS = EDGES_S.slice(from, beyond === -1 ? undefined : beyond + 1);
  // A delay longer than any retention (a clock that was set) counts as the longest.
  const counts = edgesS.slice(1).map(() => 0);
  for (const delay of delaysS) {
    const bin = edgesS.findIndex((edge) => edge > delay) - 1;
    const place = bin < 0 ? counts.length - 1 : bin;
    counts[place] = (counts[place] as number) + 1;
  }
  const expected = counts.map((_, i) => priorBetween(edgesS[i] as number, edgesS[i + 1] as number));
  const expectedSum = expected.reduce((sum, mass) => sum + mass, 0);
  const total = delaysS.length + SMOOTHING_CALLS;
  const masses = counts.map(
    (count, i) => (share * (count + (SMOOTHING_CALLS * (expected[i] as number)) / expectedSum)) / total,
  );
  return { kind: "histogram", edgesS, masses };
}

function priorBetween(fromS: number, toS: number): number {
  return shareOf(PRIOR_MODEL.parts, toS) - shareOf(PRIOR_MODEL.parts, fromS);
}

/** The share of calls that come within `delayS`. */
function shareOf(parts: readonly DensityPart[], delayS: number): number {
  let share = 0;
  for (const part of parts) {
    if (part.kind !== "histogram") share += shareWithin([part], delayS);
    else
      for (const [i, mass] of part.masses.entries()) {
        const from = part.edgesS[i] as number;
        const width = (part.edgesS[i + 1] as number) - from;
        share += mass * Math.min(1, Math.max(0, (delayS - from) / width));
      }
  }
  return share;
}

/** What a confidence would hardly show: two points of the calls at some delay, and a quarter of the rates. */
const SHARE_CHANGE = 0.02;
const RATE_CHANGE = 1.25;

/** Is the new one different enough to be kept beside the one in use? */
export function hasChanged(inUse: NewModel, measured: NewModel): boolean {
  const farthest = Math.max(
    ...EDGES_S.map((edge) => Math.abs(shareOf(inUse.parts, edge) - shareOf(measured.parts, edge))),
  );
  const ratios = [measured.callShare / inUse.callShare, measured.backgroundPerS / inUse.backgroundPerS];
  return farthest > SHARE_CHANGE || ratios.some((ratio) => ratio > RATE_CHANGE || ratio < 1 / RATE_CHANGE);
}
