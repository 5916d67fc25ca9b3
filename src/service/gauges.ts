/** Gauges read when Prometheus asks; counters of the embedded edge appear as one metric with a label. */
import { Gauge, type Registry, collectDefaultMetrics } from "prom-client";
import type { Leader } from "../jobs/leader.js";
import type { IdleCount } from "../pool/idle-numbers.store.js";
import type { RoutingTable } from "../routing/routing-table.js";
import type { SipSide } from "./sip-side.js";

export interface Watched {
  readonly metrics: Registry;
  readonly routingTable: RoutingTable;
  readonly sip: SipSide | null;
  readonly leader: Pick<Leader, "isLeading">;
  readonly spool: { readonly isEmpty: boolean; readonly appended: number };
}

/** Set by the leader, a few times a day. */
export function createIdleGauge(registry: Registry): (idle: readonly IdleCount[]) => void {
  const gauge = new Gauge({
    name: "ringmatch_numbers_idle",
    help: "Numbers that their carrier takes back soon as nobody calls them (settings/idle_reclaim); known to the leader only",
    labelNames: ["carrier"],
    registers: [registry],
  });
  return (idle) => {
    gauge.reset();
    for (const { carrier, numbers } of idle) gauge.set({ carrier }, numbers);
  };
}

export function watchGauges(watched: Watched): void {
  const { metrics, routingTable, sip, spool, leader } = watched;
  collectDefaultMetrics({ register: metrics });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [metrics],
      collect() {
        this.set(read());
      },
    });
  };
  gauge("ringmatch_routing_table_numbers", "Numbers in the routing table", () => routingTable.size);
  gauge("ringmatch_spool_lines", "Lines written to the call spool since start", () => spool.appended);
  gauge("ringmatch_spool_waiting", "1 while call events wait in the spool", () => (spool.isEmpty ? 0 : 1));
  gauge("ringmatch_leader", "1 while this process runs the service's timers", () => (leader.isLeading ? 1 : 0));
  if (sip === null) return;
  gauge("ringmatch_sip_live_calls", "Calls that are up on this node", () => sip.liveCalls());
  gauge("ringmatch_sip_link_up", "1 while a drachtio connection is up", () => (sip.isUp() ? 1 : 0));
  new Gauge({
    name: "ringmatch_sip_edge_events",
    help: "Counters of the embedded SIP edge and of calls refused unread, since start",
    labelNames: ["event"],
    registers: [metrics],
    async collect() {
      for (const [event, count] of Object.entries(await sip.counters())) this.set({ event }, count);
    },
  });
}
