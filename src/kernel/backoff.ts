/** How long to wait before what failed is tried again: twice as long each time, up to a limit, and from the beginning when it went well. */

export class Backoff {
  private failures = 0;

  constructor(private readonly bounds: { readonly minMs: number; readonly maxMs: number }) {}

  /** ms; asked for once each failure. */
  next(): number {
    const { minMs, maxMs } = this.bounds;
    return Math.min(maxMs, minMs * 2 ** this.failures++);
  }

  reset(): void {
    this.failures = 0;
  }
}
