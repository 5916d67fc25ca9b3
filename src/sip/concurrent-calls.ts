/** Calls that are up for each destination on this node, against its max_concurrent_calls. A full destination is as good as busy. */

export class ConcurrentCalls {
  private readonly counts = new Map<string, number>();

  /** @returns how to give the place back, once, or null when all are taken */
  enter(destination: string, max: number | null): (() => void) | null {
    const count = this.counts.get(destination) ?? 0;
    if (max !== null && count >= max) return null;
    this.counts.set(destination, count + 1);
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      const left = (this.counts.get(destination) ?? 1) - 1;
      if (left === 0) this.counts.delete(destination);
      else this.counts.set(destination, left);
    };
  }
}
