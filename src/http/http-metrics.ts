/** What the HTTP layer counts. Labels are routes and outcomes, never numbers, visitors or accounts: their count is bounded by the code. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { BotReason } from "../pool/bot-tally.js";
import type { PresentedNumber } from "../pool/present.js";

/** tag: `/tag.js`; config: `/tag/config`; file: an immutable one. */
export type TagThing = "tag" | "config" | "file";

export interface HttpMetrics {
  requestDone(labels: { method: string; route: string; status: number }, seconds: number): void;
  presented(outcome: PresentedNumber["outcome"]): void;
  fieldsIgnored(place: "body" | "page", count: number): void;
  botSuspected(reason: BotReason): void;
  originRefused(): void;
  tagDelivered(thing: TagThing, status: number): void;
}

/** From a cached answer to the tag's patience (1.5 s) and beyond. */
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10];

/** @param waiting how many visitors wait for a number right now, read when Prometheus asks */
export function createHttpMetrics(registry: Registry, waiting: () => number): HttpMetrics {
  const registers = [registry];
  const duration = new Histogram({
    name: "ringmatch_http_request_duration_seconds",
    help: "Request received → answer sent",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS_S,
    registers,
  });
  const presentations = new Counter({
    name: "ringmatch_presentations_total",
    help: "Numbers answered to pages, by outcome",
    labelNames: ["outcome"],
    registers,
  });
  const ignored = new Counter({
    name: "ringmatch_presentation_fields_ignored_total",
    help: "Fields of presentation requests that this version does not know",
    labelNames: ["place"],
    registers,
  });
  const bots = new Counter({
    name: "ringmatch_suspected_bots_total",
    help: "Presentation requests that took no number from a visitor, by what gave them away",
    labelNames: ["reason"],
    registers,
  });
  const origins = new Counter({
    name: "ringmatch_origins_refused_total",
    help: "Presentation and renewal requests from pages of origins that the account does not list",
    registers,
  });
  const tags = new Counter({
    name: "ringmatch_tag_deliveries_total",
    help: "Answers with the browser tag, its configuration or one of its files",
    labelNames: ["what", "status"],
    registers,
  });
  void new Gauge({
    name: "ringmatch_allocations_waiting",
    help: "Visitors waiting in this process for a number",
    registers,
    collect() {
      this.set(waiting());
    },
  });
  return {
    requestDone: (labels, seconds) => duration.observe(labels, seconds),
    presented: (outcome) => presentations.inc({ outcome }),
    fieldsIgnored: (place, count) => ignored.inc({ place }, count),
    botSuspected: (reason) => bots.inc({ reason }),
    originRefused: () => origins.inc(),
    tagDelivered: (what, status) => tags.inc({ what, status }),
  };
}
