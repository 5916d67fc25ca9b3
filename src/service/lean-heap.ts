/**
 * How V8 keeps this process's heaps. Called once, before threads are started: its flags are the process's.
 *
 * How far they may grow before they are collected: left alone, a heap of some ten megabytes grows fourfold first: measured at 400 calls a second, the
 * process then held 620 MB where 320 do, and went on growing for minutes.
 *
 * And no pretenuring (allocating at once among the old what was seen to live long): what is allocated there keeps all that it refers to until the next
 * collection of everything. At 200 calls a second that was all of a call, 14 kB, scavenges of 4 to 8 ms instead of 2 to 3, and every 17 s a collection
 * of everything, during which calls waited for 60 ms.
 *
 * And what is allocated is looked through in small pieces, in the SIP edge's thread whatever the command line says (which says the same for the main
 * thread): a transaction is remembered for 32 s, so each is copied twice, however seldom that happens, and all calls wait meanwhile. At 200 calls a second,
 * with 64 MB: every 1.6 s for 8 ms, 65 at the worst, in the edge's thread, every second for 10 ms, 20 at the worst, in the main one; with 16 every 0.6 s for
 * 4 ms, 10 at the worst, and every quarter of a second for 4 ms, 9 at the worst.
 */
import { setFlagsFromString } from "node:v8";

/** Twice what was alive after the last collection. Half of it costs 0.1 ms of marking a call, a tenth of what a call costs in all. */
const GROWTH_PERCENT = 100;

/** Of a thread that is started from here on. */
const SEMI_SPACE_MB = 16;

export function keepHeapLean(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString("--no-allocation-site-pretenuring");
  setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MB}`);
}
