/** What /metrics says of outgoing webhooks. Labels are words of the code; one endpoint's deliveries are in GET /v1/webhook_endpoints/:id/deliveries. */
import { Counter, Gauge, type Registry } from "prom-client";
import { readBacklog } from "../account/outgoing/deliveries.store.js";
import { readOutboxSize } from "../account/outgoing/outbox.store.js";
import type { Queryable } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { AttemptOutcome } from "../webhooks/outbound/deliver.js";

/** Counting reads all that waits; several processes, each scraped every few seconds, must not do it each time. */
const READ_EVERY_MS = 30_000;

export interface OutgoingMetrics {
  attempted(kind: string, outcome: AttemptOutcome): void;
  disabled(reason: "gone" | "failing"): void;
}

interface MetricsInput {
  readonly registry: Registry;
  readonly db: Queryable;
  readonly clock: Clock;
  readonly log: Log;
}

export function createOutgoingMetrics(input: MetricsInput): OutgoingMetrics {
  const registers = [input.registry];
  const attempts = new Counter({
    name: "ringmatch_webhook_attempts_total",
    help: "Attempts to deliver an event, by kind of endpoint and what came of them",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const disabled = new Counter({
    name: "ringmatch_webhook_endpoints_disabled_total",
    help: "Endpoints that were disabled because they are gone (410) or failed for days",
    labelNames: ["reason"],
    registers,
  });
  addBacklog(input);
  return {
    attempted: (kind, outcome) => attempts.inc({ kind, outcome }),
    disabled: (reason) => disabled.inc({ reason }),
  };
}

interface Backlog {
  readonly outbox: number;
  readonly waiting: number;
  readonly oldestS: number;
}

function addBacklog({ registry, db, clock, log }: MetricsInput): void {
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<Backlog | null> = Promise.resolve(null);
  // All gauges are collected at once and share one reading.
  const read = (): Promise<Backlog | null> => {
    if (clock.monotonicMs() - readAt < READ_EVERY_MS) return reading;
    readAt = clock.monotonicMs();
    reading = readAll(db, clock).catch((error: unknown) => {
      log.debug("metrics.outgoing_not_read", { error: messageOf(error) });
      return null;
    });
    return reading;
  };
  const gauge = (name: string, help: string, of: (backlog: Backlog) => number): void => {
    void new Gauge({
      name,
      help: `${help}; at most half a minute old`,
      registers: [registry],
      async collect() {
        const backlog = await read();
        if (backlog !== null) this.set(of(backlog));
      },
    });
  };
  gauge("ringmatch_outbox_events", "Events not made into deliveries yet", ({ outbox }) => outbox);
  gauge("ringmatch_webhook_waiting", "Deliveries to enabled endpoints that wait", ({ waiting }) => waiting);
  gauge(
    "ringmatch_webhook_oldest_seconds",
    "Age of the oldest event that an enabled endpoint has not got",
    (backlog) => backlog.oldestS,
  );
}

async function readAll(db: Queryable, clock: Clock): Promise<Backlog> {
  const [outbox, backlog] = await Promise.all([readOutboxSize(db), readBacklog(db)]);
  const oldestAt = Math.min(outbox.oldestAt ?? Number.POSITIVE_INFINITY, backlog.oldestAt ?? Number.POSITIVE_INFINITY);
  const oldestS = Number.isFinite(oldestAt) ? Math.max(0, (clock.now() - oldestAt) / 1000) : 0;
  return { outbox: outbox.size, waiting: backlog.waiting, oldestS };
}
