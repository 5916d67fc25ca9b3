/**
 * When the spool may be replayed. While calls still come late, a replay takes from them what they lack, and makes more of them late: it waits until none
 * was for a moment. But not for ever: who is that busy for longer has their records written in between. Asked by the call log. Pure.
 */

const RUSH_OVER_MS = 1_000;
const WAIT_MS_MAX = 15_000;

export class Rush {
  private lateAtMs = Number.NEGATIVE_INFINITY;
  private waitsSinceMs: number | null = null;

  /** A call came late. @param nowMs monotonic */
  late(nowMs: number): void {
    this.lateAtMs = nowMs;
  }

  /** Asked when a replay would begin; true: it begins now. @param nowMs monotonic */
  isOver(nowMs: number): boolean {
    this.waitsSinceMs ??= nowMs;
    if (nowMs - this.lateAtMs < RUSH_OVER_MS && nowMs - this.waitsSinceMs < WAIT_MS_MAX) return false;
    this.waitsSinceMs = null;
    return true;
  }
}
