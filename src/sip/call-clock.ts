/** Times of one call: its arrival by the database's clock, plus what has passed since by the monotonic one. Durations are then true whatever clocks do. */
import type { Clock, Instant } from "../kernel/clock.js";

export function callClock(clock: Clock, receivedAt: Instant): () => Instant {
  const start = clock.monotonicMs();
  return () => receivedAt + Math.round(clock.monotonicMs() - start);
}
