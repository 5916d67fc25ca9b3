/** The thread that the SIP edge runs in: makes one SipEdge and does what edge-thread.ts, on the other side, asks for. */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../kernel/clock.js";
import { AppError, messageOf } from "../../kernel/errors.js";
import { invariant } from "../../kernel/invariant.js";
import { type Log, maskFields } from "../../kernel/log.js";
import { systemRandom } from "../../kernel/random.js";
import type { EdgeAnswer, EdgeCommand, EdgeNotice, EdgePlan } from "./edge-messages.js";
import { SipEdge } from "./sip-edge.js";

const port = parentPort;
invariant(port !== null, "the edge's worker runs in a thread of its own");

const say = (notice: EdgeNotice): void => port.postMessage(notice);
const logAt =
  (level: keyof Log): Log[typeof level] =>
  (event, fields = {}) =>
    // Masked here: errors lose their shape on the way.
    say({ kind: "log", level, event, fields: maskFields(fields) });
const log: Log = { debug: () => undefined, info: logAt("info"), warn: logAt("warn"), error: logAt("error") };

const edge = new SipEdge({ ...(workerData as EdgePlan), clock: systemClock, random: systemRandom, log });

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
      return edge.start();
    case "allow_sources":
      return edge.allowSources(command.cidrs);
    case "drain":
      return edge.drain();
    case "counters":
      return edge.counters();
    case "stop":
      return edge.stop();
  }
}
