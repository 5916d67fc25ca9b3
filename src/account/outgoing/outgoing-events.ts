/** What other systems can be told of. The words of the outbox, of endpoints and of bodies; the triggers that write them are in migrations/0018. */

export const OUTGOING_EVENTS = [
  "call.received",
  "call.routed",
  "call.completed",
  "call.updated",
  "number.intercepted",
  "number.quarantined",
  "number.released",
  "pool.exhausted",
  "pool.scaled",
] as const;
export type OutgoingEvent = (typeof OUTGOING_EVENTS)[number];
