/**
 * What a pool and its numbers do, in as few words as possible: the reference that test/pool/lifecycle-model.test.ts holds the database against. Times
 * in ms; one pool that keeps the original number when it is exhausted.
 */
import { removalOf } from "../../../src/pool/promo-number.js";

/** Near each other, so that a renewed lock outlives the retention as often as not. */
export const RULE = { lifetime: 60_000, retention: 90_000, drain: 45_000, hold: 3_600_000 } as const;

export interface Num {
  readonly e164: string;
  state: "available" | "assigned" | "draining" | "quarantined";
  /** Who was shown it last, for calls; and who gets it again. */
  visitor: number | null;
  holder: number | null;
  presentation: string | null;
  shown: number;
  locked: number;
  retained: number;
  /** End of draining, or of the hold. */
  due: number;
}

const NEVER = -Infinity;

export class Reference {
  now = 0;
  readonly numbers: Num[];

  constructor(e164s: readonly string[]) {
    this.numbers = e164s.map((e164) => ({ e164, state: "available", due: NEVER, ...nobody() }));
  }

  in(state: Num["state"]): Num[] {
    return this.numbers.filter((n) => n.state === state);
  }

  present(visitor: number): { kind: "presented" | "renewed"; number: Num } | { kind: "exhausted" } {
    const mine = this.in("assigned").find((n) => n.holder === visitor);
    const isRetained = mine !== undefined && mine.retained >= this.now;
    const kept = isRetained || (mine !== undefined && mine.locked > this.now) ? mine : undefined;
    if (mine !== undefined && kept === undefined) mine.holder = null;
    const number = kept ?? this.leastRecent().find((n) => n.locked <= this.now);
    if (number === undefined) return { kind: "exhausted" };
    const locked = Math.max(kept?.locked ?? NEVER, this.now + RULE.lifetime);
    Object.assign(number, { visitor, holder: visitor, shown: this.now, locked, retained: this.now + RULE.retention });
    return { kind: isRetained ? "renewed" : "presented", number };
  }

  renew(visitor: number, presentation: string): number | null {
    const mine = this.in("assigned").find((n) => n.holder === visitor && n.presentation === presentation);
    if (mine === undefined || (mine.retained < this.now && mine.locked <= this.now)) return null;
    return (mine.locked = Math.max(mine.locked, this.now + RULE.lifetime));
  }

  call(n: Num): { outcome: string; visitor: number | null } {
    if (n.state === "available" || n.state === "quarantined") return { outcome: "quarantined", visitor: null };
    if (n.visitor === null) return { outcome: "never_presented", visitor: null };
    return this.now > n.retained ? { outcome: "expired", visitor: null } : { outcome: "matched", visitor: n.visitor };
  }

  remove(n: Num): boolean {
    if (n.state !== "assigned" && n.state !== "draining") return false;
    const retainedUntil = n.retained === NEVER ? null : n.retained;
    const removal = removalOf({ retainedUntil, drainS: RULE.drain / 1000, skipDraining: false, now: this.now });
    if (removal.to === "quarantined") this.quarantine(n);
    // It drains already; whoever removes it again after its time is quicker than the job.
    else if (n.state === "draining") return false;
    else Object.assign(n, { state: "draining", holder: null, due: removal.until });
    return true;
  }

  add(n: Num): boolean {
    if (n.state !== "available" && n.state !== "draining") return false;
    n.state = "assigned";
    return true;
  }

  release(n: Num): boolean {
    if (n.state !== "quarantined") return false;
    n.state = "available";
    return true;
  }

  scale(size: number): boolean {
    const missing = size - this.in("assigned").length;
    if (missing > this.in("available").length) return false;
    for (const n of this.in("available").slice(0, Math.max(0, missing))) n.state = "assigned";
    for (const n of this.leastRecent().slice(0, Math.max(0, -missing))) this.remove(n);
    return true;
  }

  pass(ms: number): void {
    this.now += ms;
    for (const n of this.numbers.filter(({ due, state }) => due <= this.now && state !== "assigned")) {
      if (n.state === "draining") this.quarantine(n);
      else if (n.state === "quarantined") n.state = "available";
    }
  }

  private leastRecent(): Num[] {
    return this.in("assigned").sort((a, b) => a.shown - b.shown || a.e164.localeCompare(b.e164));
  }

  private quarantine(n: Num): void {
    Object.assign(n, nobody(), { state: "quarantined", due: this.now + RULE.hold });
  }
}

function nobody() {
  return { visitor: null, holder: null, presentation: null, shown: NEVER, locked: NEVER, retained: NEVER };
}
