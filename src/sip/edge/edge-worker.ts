/** The thread that the SIP edge runs in: makes one SipEdge and does what edge-thread.ts, on the other side, asks for. */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../kernel/clock.js";
import { AppError, messageOf } from "../../kernel/errors.js";
import { invariant } from "../../kernel/invariant.js";
import { systemRandom } from "../../kernel/random.js";
import type { EdgeAnswer, EdgeCommand, EdgeNotice, EdgePlan } from "./edge-messages.js";
import { SipEdge } from "./sip-edge.js";
import { createThreadLog } from "./thread-log.js";

const port = parentPort;
invariant(port !== null, "the edge's worker runs in a thread of its own");

const say = (notice: EdgeNotice): void => port.postMessage(notice);
const log = createThreadLog(systemClock, say);
let made: SipEdge | null = null;

port.on("message", ({ id, command }: { id: number; command: EdgeCommand }) => {
  carryOut(command).then(
    (answer) => say({ kind: "done", id, answer }),
    (error: unknown) => {
      const code = error instanceof AppError ? error.code : "internal";
      say({ kind: "failed", id, code, message: messageOf(error) });
    },
  );
});

async function carryOut(command: EdgeCommand): Promise<EdgeAnswer> {
  switch (command.kind) {
    case "start":
      made = new SipEdge({ ...(workerData as EdgePlan), clock: systemClock, random: systemRandom, log });
      return made.start();
    case "allow_sources":
      return theEdge().allowSources(command.cidrs);
    case "use_certificate":
      return theEdge().useCertificate(command.certificate);
    case "drain":
      return theEdge().drain();
    case "counters":
      return theEdge().counters();
    case "stop":
      return made?.stop();
  }
}

function theEdge(): SipEdge {
  invariant(made !== null, "the edge's first command is start");
  return made;
}
