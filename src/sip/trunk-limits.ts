/**
 * How much a trunk may send: new calls a second (a bucket that refills evenly, so that a burst of one second's worth passes) and calls at a time. What
 * goes beyond is answered 503, and the carrier tries another route. One process's view: behind N nodes a trunk may send N times as much.
 */
import type { Trunk } from "../account/trunks.store.js";
import type { Clock } from "../kernel/clock.js";

export type Admission =
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly limit: "max_cps" | "max_calls" };

interface Use {
  calls: number;
  /** What the bucket was made for; a trunk whose limit was changed starts with a full one. */
  maxCps: number | null;
  /** Calls that may come at once. */
  tokens: number;
  refilledAtMs: number;
}

export class TrunkLimits {
  /** By trunk name. Trunks are few and set by the operator. */
  private readonly uses = new Map<string, Use>();

  constructor(private readonly clock: Pick<Clock, "monotonicMs">) {}

  /** Every admission is released exactly once, when its call is over. */
  admit(trunk: Trunk): Admission {
    const use = this.useOf(trunk);
    if (trunk.maxCalls !== null && use.calls >= trunk.maxCalls) return { kind: "refused", limit: "max_calls" };
    if (trunk.maxCps !== null && !this.takeToken(use, trunk.maxCps)) return { kind: "refused", limit: "max_cps" };
    use.calls++;
    let isReleased = false;
    return {
      kind: "admitted",
      release: () => {
        if (!isReleased) use.calls--;
        isReleased = true;
      },
    };
  }

  private useOf(trunk: Trunk): Use {
    const known = this.uses.get(trunk.name);
    if (known !== undefined && known.maxCps === trunk.maxCps) return known;
    const { name, maxCps } = trunk;
    const use: Use = { calls: 0, maxCps, tokens: maxCps ?? 0, refilledAtMs: this.clock.monotonicMs() };
    if (known !== undefined) return Object.assign(known, { ...use, calls: known.calls });
    this.uses.set(name, use);
    return use;
  }

  private takeToken(use: Use, maxCps: number): boolean {
    const nowMs = this.clock.monotonicMs();
    use.tokens = Math.min(maxCps, use.tokens + ((nowMs - use.refilledAtMs) / 1000) * maxCps);
    use.refilledAtMs = nowMs;
    if (use.tokens < 1) return false;
    use.tokens--;
    return true;
  }
}
