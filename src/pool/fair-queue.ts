/** Waiting requests of many accounts: first come first served within an account, turn about between accounts. Pure data structure. */

export class FairQueue<T> {
  /** A new one for each batch: one map that accounts enter and leave for ever would chain its outgrown tables, and keep in memory what they held. */
  private lanes = new Map<string, T[]>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  push(account: string, item: T): void {
    const lane = this.lanes.get(account);
    if (lane === undefined) this.lanes.set(account, [item]);
    else lane.push(item);
    this.count++;
  }

  /**
   * Takes up to `max` items. While several accounts wait none gets more than `share` of `max`, unless the others leave room.
   * @param fits says whether an item may go along with those taken so far; who may not keeps its place
   */
  take(input: { max: number; share: number; fits: (item: T) => boolean }): T[] {
    const { max, share, fits } = input;
    const taken: T[] = [];
    const cap = this.lanes.size > 1 ? Math.max(1, Math.floor(max * share)) : max;
    this.takeUpTo(taken, { max, cap, fits });
    // Room that the others did not use goes to whoever still waits.
    if (taken.length < max && this.count > 0) this.takeUpTo(taken, { max, cap: max, fits });
    return taken;
  }

  /** Takes out whatever `gone` says; the others keep their places. */
  remove(gone: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (const [account, lane] of [...this.lanes]) {
      const kept = lane.filter((item) => !gone(item) || !removed.push(item));
      if (kept.length === lane.length) continue;
      if (kept.length > 0) this.lanes.set(account, kept);
      else this.lanes.delete(account);
    }
    this.count -= removed.length;
    return removed;
  }

  private takeUpTo(taken: T[], limit: { max: number; cap: number; fits: (item: T) => boolean }): void {
    // Who had no turn in this batch stays in front of those who had: the next one starts with who has waited.
    const inFront = new Map<string, T[]>();
    const behind = new Map<string, T[]>();
    for (const [account, lane] of this.lanes) {
      if (taken.length >= limit.max) {
        inFront.set(account, lane);
        continue;
      }
      const kept: T[] = [];
      let mine = 0;
      let seen = 0;
      for (; seen < lane.length && mine < limit.cap && taken.length < limit.max; seen++) {
        const item = lane[seen] as T;
        if (limit.fits(item)) {
          taken.push(item);
          mine++;
        } else kept.push(item);
      }
      this.count -= mine;
      const rest = [...kept, ...lane.slice(seen)];
      if (rest.length > 0) behind.set(account, rest);
    }
    this.lanes = new Map([...inFront, ...behind]);
  }
}
