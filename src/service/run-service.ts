/** The service as a process: started, announced with one ready line, stopped by signals, its exit code told. */
import type { Config } from "../config.js";
import { type DemoSide, startDemo } from "../dev/demo-side.js";
import { systemClock } from "../kernel/clock.js";
import { messageOf } from "../kernel/errors.js";
import { createLog } from "../kernel/log.js";
import { systemRandom } from "../kernel/random.js";
import { keepHeapLean } from "./lean-heap.js";
import { printBanner, printDemonstration, printReady } from "./banner.js";
import { type Service, startService } from "./service.js";
import { onTermination } from "./signals.js";
import { endAfterStrayException, outliveStrayRejections } from "./stray-faults.js";

const EXIT_FAILED = 1;
/** The usual code for "ended by a signal before it was done". */
const EXIT_FORCED = 130;
/** After a fault of ours: callers that come meanwhile are refused, and an orchestrator would have a sound process up in seconds. */
const FAULT_DRAIN_MS_MAX = 10_000;

/** Runs until it is told to stop. Called by `npm start` and `ringmatch start`. @throws AppError when it cannot start; nothing is left running then */
export async function runService(config: Config): Promise<void> {
  keepHeapLean();
  const told = new AbortController();
  const stopping = told.signal;
  const ambient = { clock: systemClock, random: systemRandom, log: createLog(config.logLevel), stopping };
  outliveStrayRejections(ambient.log);
  let service: Service | null = null;
  let demo: DemoSide | null = null;
  let stopped: Promise<void> | null = null;
  const stopAll = async (drainMsMax: number): Promise<void> => {
    // Calls with the demo business drain like all others.
    await service?.stop(drainMsMax);
    await demo?.stop();
  };
  const stop = (drainMsMax: number): Promise<void> => (stopped ??= stopAll(drainMsMax));
  const start = async (): Promise<void> => {
    service = await startService(config, ambient);
    demo = await startDemoIfWanted(config, service, ambient);
    if (demo?.demonstration) printDemonstration(demo.demonstration);
    service.markReady();
    printBanner({ service, demo });
    service.adminKey.shown();
    printReady(service);
  };
  const starting = start();
  const end = (exitCode: number, drainMsMax: number): void => {
    told.abort();
    const stopNow = (): Promise<void> => stop(drainMsMax);
    // Whatever is half started is finished first: stopping it in the middle would leave servers behind.
    void starting.then(stopNow, stopNow).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        ambient.log.error("service.stop_failed", { error: messageOf(error) });
        process.exit(EXIT_FAILED);
      },
    );
  };
  endAfterStrayException(ambient.log, () => end(EXIT_FAILED, FAULT_DRAIN_MS_MAX));
  onTermination({
    clock: systemClock,
    onFirst: (signal) => {
      ambient.log.info("service.stopping", { signal });
      end(0, config.drainMs);
    },
    onForce: () => process.exit(EXIT_FORCED),
  });
  try {
    await starting;
  } catch (error) {
    await stop(0);
    if (!stopping.aborted) throw error;
    // Asked for: what did not start is no failure any more, and the exit code is the signal's.
    ambient.log.info("service.start_given_up", { error: messageOf(error) });
  }
}

async function startDemoIfWanted(
  config: Config,
  service: Service,
  ambient: Parameters<typeof startService>[1],
): Promise<DemoSide | null> {
  // Its phones speak IPv4; without it there is no demonstration.
  const sipAddress = service.sipAddresses.find((address) => /^udp\/\d/.test(address));
  if (!config.isEmbedded || service.httpUrl === null || sipAddress === undefined) return null;
  return startDemo({ service, httpUrl: service.httpUrl, sipAddress, ...ambient });
}
