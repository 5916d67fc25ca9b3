/**
 * Whether calls come faster than their batches are matched, and so lastingly that a short wait before the next one pays: a call's share of PostgreSQL's work
 * was measured 0.57 ms alone, 0.20 ms among 4, 0.09 ms among 16. Asked by opening-batch.ts. Pure.
 */

/** Behind batches of more than a few. */
const BUSY_BATCH = 3;
/**
 * How much the latest batch counts beside those before it. A stall of some 20 ms makes a few large ones out of a day's ordinary calls, and those have
 * waited enough (where a third counted, one in forty of 200 calls/s waited again, beside other work on both cores); a rush makes nothing else.
 */
const LATEST_SHARE = 1 / 10;

export class UsualBatch {
  private size = 0;

  began(size: number): void {
    this.size += (size - this.size) * LATEST_SHARE;
  }

  /** With fewer, nobody waits. */
  get isLarge(): boolean {
    return this.size >= BUSY_BATCH;
  }
}
