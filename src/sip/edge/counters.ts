/** What the edge counts since it started; SipEdge.counters() shows it, /metrics prints it. Counting is all that happens to dropped packets. */

export const COUNTER_NAMES = [
  "messages_received",
  "messages_sent",
  "keepalives",
  "dropped_source",
  "dropped_scanner",
  "dropped_stray_response",
  "dropped_stray_ack",
  "dropped_stray_request",
  "dropped_connection_limit",
  "malformed",
  "too_large",
  "retransmissions_absorbed",
  "loops",
  "refused_capacity",
  "refused_draining",
  "refused_no_app",
  "refused_method",
  "app_silent",
  "ack_timeouts",
  "prack_timeouts",
  "sessions_expired",
  "subscriptions_expired",
  "transport_errors",
  "internal_errors",
  "invites_received",
  "invites_sent",
  "dialogs_created",
  "dialogs_ended_by_edge",
  "app_connections",
  "app_frames",
  "app_bad_frames",
  "app_auth_failures",
  "app_lost",
] as const;
export type CounterName = (typeof COUNTER_NAMES)[number];

export interface Counters {
  add(name: CounterName): void;
  snapshot(): Record<CounterName, number>;
}

export function createCounters(): Counters {
  const values = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Record<CounterName, number>;
  return {
    add(name) {
      values[name] += 1;
    },
    snapshot: () => ({ ...values }),
  };
}
