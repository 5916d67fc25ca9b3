/**
 * Who is a call's visitor, by brute force: everything that happened, in a list, looked through from the start for every question. Written from the
 * product rule (contract: calls; domain notes §1.3), without a query or a function of ours.
 */

/** What somebody outside could have noted down, in the order in which it happened. */
export type Happening =
  /** A page was answered with this number; `isRenewal` when the visitor had it already. */
  | {
      readonly kind: "shown";
      readonly at: number;
      readonly number: string;
      readonly pool: string;
      readonly visitor: string;
      readonly presentation: string;
      readonly isRenewal: boolean;
      readonly touch: Record<string, string>;
      readonly customData: Record<string, unknown>;
      readonly retentionMs: number;
    }
  /** The number is in this state, pool and role from now on. */
  | {
      readonly kind: "moved";
      readonly at: number;
      readonly number: string;
      readonly state: string;
      readonly role: string | null;
      readonly pool: string | null;
    };

export interface Truth {
  readonly outcome: string;
  readonly presentationId: string | null;
  readonly visitorId: string | null;
  readonly presentedAt: number | null;
  readonly touch: unknown;
  readonly customData: unknown;
}

/**
 * @param happened all that happened before the call, by order of happening
 * @param at the call's arrival
 */
export function truthOf(happened: readonly Happening[], number: string, at: number): Truth {
  const nobody = { presentationId: null, visitorId: null, presentedAt: null, touch: null, customData: null };
  let known: { state: string; role: string | null; pool: string | null } | null = null;
  let last: (Happening & { kind: "shown" }) | null = null;
  let touch: Record<string, string> = {};
  let customData: Record<string, unknown> = {};
  for (const one of happened) {
    if (one.number !== number) continue;
    if (one.kind === "moved") {
      // In another pool, or nobody's: who saw it there does not count here.
      if (known !== null && known.pool !== one.pool) last = null;
      known = one;
      continue;
    }
    touch = one.isRenewal && Object.keys(one.touch).length === 0 ? touch : one.touch;
    customData = one.isRenewal ? { ...customData, ...one.customData } : one.customData;
    last = one;
  }
  if (known === null) return { outcome: "unattributable", ...nobody };
  if (known.state !== "assigned" && known.state !== "draining") return { outcome: "quarantined", ...nobody };
  if (known.role === "overflow") return { outcome: "overflow", ...nobody };
  if (last === null) return { outcome: "never_presented", ...nobody };
  if (at > last.at + last.retentionMs) return { outcome: "expired", ...nobody };
  const { presentation, visitor } = last;
  return {
    outcome: "matched",
    presentationId: presentation,
    visitorId: visitor,
    presentedAt: last.at,
    touch,
    customData,
  };
}

/** The allocator's promise: a visitor's own number again, else the free one shown longest ago, else none (or the oldest, where the pool says so). */
export class Shelf {
  private readonly held = new Map<
    string,
    { visitor: string | null; shownAt: number; lockedUntil: number; retainedUntil: number }
  >();

  /** A new owner or pool: nobody holds it; a new owner clears its past as well. */
  moved(number: string, isNewOwner: boolean): void {
    const entry = this.of(number);
    entry.visitor = null;
    if (isNewOwner) Object.assign(entry, NEVER_SHOWN);
  }

  /** An open page keeps its number. */
  extended(number: string, lockedUntil: number): void {
    this.of(number).lockedUntil = lockedUntil;
  }

  /** @param numbers that the pool has for visitors, oldest in the inventory first */
  expected(numbers: readonly string[], visitor: string, now: number, reusesOldest: boolean): string | null {
    const own = numbers.find((number) => this.of(number).visitor === visitor);
    if (own !== undefined && (this.of(own).retainedUntil >= now || this.of(own).lockedUntil > now)) return own;
    const inLine = [...numbers].sort((a, b) => order(this.of(a).shownAt, this.of(b).shownAt));
    return inLine.find((number) => this.of(number).lockedUntil <= now) ?? (reusesOldest ? (inLine[0] ?? null) : null);
  }

  shown(
    number: string,
    visitor: string,
    input: { now: number; lockMs: number; retentionMs: number; numbers: readonly string[] },
  ): void {
    for (const other of input.numbers)
      if (this.of(other).visitor === visitor && other !== number) this.of(other).visitor = null;
    const entry = this.of(number);
    const isOwn = entry.visitor === visitor;
    entry.lockedUntil = isOwn ? Math.max(entry.lockedUntil, input.now + input.lockMs) : input.now + input.lockMs;
    entry.visitor = visitor;
    entry.shownAt = input.now;
    entry.retainedUntil = input.now + input.retentionMs;
  }

  private of(number: string) {
    const entry = this.held.get(number) ?? { visitor: null, ...NEVER_SHOWN };
    this.held.set(number, entry);
    return entry;
  }
}

const NEVER_SHOWN = { shownAt: -Infinity, lockedUntil: -Infinity, retainedUntil: -Infinity };

function order(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
