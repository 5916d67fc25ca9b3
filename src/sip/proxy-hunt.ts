/**
 * The record of a hunt that somebody else makes (trunk mode `proxy`): attempts as they are told, and what each came to, as far as the final answers
 * say. An answer belongs to the attempt whose branch it carries. Used by proxy-call.ts.
 */
import type { Target } from "../routing/decision.js";
import type { CallEvent } from "../telephony/call-event.js";
import { huntsOn } from "../telephony/sip-status.js";
import { full, noOutbound } from "./bridge.js";
import type { SipMessage } from "./drachtio-types.js";
import { type FailedAttempt, failedBy, RING_TIMEOUT } from "./failed-attempt.js";
import { branchOf } from "./proxied-calls.js";
import { targetUri } from "./target-uri.js";

interface Step {
  readonly index: number;
  readonly target: string;
  readonly uri: string;
  /** Not called at all, and why. */
  readonly left: FailedAttempt | null;
  branch: string;
  state: "waiting" | "calling" | "over";
}

export interface ProxyHunt {
  /** In order; each once. */
  readonly uris: readonly string[];
  onAttempt(uri: string, branch: string): void;
  /**
   * Nothing more comes. What was called and not heard of was given up, but for the last one of a call that was answered or canceled.
   * @returns what the last target came to
   */
  conclude(how: "answered" | "canceled" | "failed", finals: readonly SipMessage[]): FailedAttempt;
}

export interface HuntInput {
  readonly targets: readonly Target[];
  readonly isFirstTargetFull: boolean;
  readonly attemptsBefore: number;
  readonly outboundUri: string | null;
  readonly now: () => number;
  readonly record: (...events: CallEvent[]) => void;
}

export function createProxyHunt(input: HuntInput): ProxyHunt {
  const { now, record } = input;
  const steps = stepsOf(input);
  /** Of the target furthest on, in whatever order it is heard. */
  let last: FailedAttempt & { readonly index: number } = {
    failure: { kind: "transport" },
    cause: "no_target",
    index: -1,
  };
  const start = (step: Step, branch: string): void => {
    step.state = "calling";
    step.branch = branch;
    record({ kind: "attempt_started", index: step.index, target: step.target, at: now() });
  };
  const fail = (step: Step, failed: FailedAttempt): void => {
    step.state = "over";
    if (step.index > last.index) last = { ...failed, index: step.index };
    const { failure, cause } = failed;
    const sipStatus = failure.kind === "status" ? failure.status : null;
    record({ kind: "attempt_failed", index: step.index, sipStatus, cause, at: now() });
  };
  /** Targets before this one that were never called. */
  const passOver = (before: number): void => {
    for (const step of steps.slice(0, before)) {
      if (step.state !== "waiting") continue;
      start(step, "");
      fail(step, step.left ?? { failure: { kind: "transport" }, cause: "transport: not reachable" });
    }
  };
  const onAttempt = (uri: string, branch: string): Step | null => {
    const open = steps.filter((step) => step.state === "waiting" && step.left === null);
    // drachtio-server keeps a Request-URI that is not its own; then the order tells.
    const step = open.find((one) => one.uri === uri) ?? open[0];
    if (step === undefined) return null;
    passOver(steps.indexOf(step));
    start(step, branch);
    return step;
  };
  return {
    uris: steps.filter((step) => step.left === null).map((step) => step.uri),
    onAttempt: (uri, branch) => void onAttempt(uri, branch),
    conclude(how, finals) {
      const called = (): Step[] => steps.filter((step) => step.state === "calling");
      let isOver = how !== "failed";
      for (const final of finals) {
        const { status = 0 } = final as { status?: number };
        const branch = branchOf(final);
        // Without a frame that told of the attempt, the answer itself does.
        const step = called().find((one) => one.branch === branch) ?? called()[0] ?? onAttempt("", branch);
        if (step === null) continue;
        if (status < 300) {
          step.state = "over";
          if (how === "answered") record({ kind: "answered", index: step.index, at: now() });
        }
        // The target of a caller who gave up has failed at nothing.
        else if (how === "canceled" && called().length === 1 && final === finals.at(-1)) continue;
        // 487 while the caller waits: the target was cancelled because its time was up.
        else fail(step, status === 487 ? RING_TIMEOUT : failedBy(final, status));
        // Nobody was tried after this one: not on the embedded edge, and a drachtio-server that did has told of it.
        isOver ||= !huntsOn({ kind: "status", status });
      }
      const unheard = called();
      if (how !== "failed") unheard.pop();
      for (const step of unheard) fail(step, RING_TIMEOUT);
      if (!isOver) passOver(steps.length);
      return last;
    },
  };
}

function stepsOf(input: HuntInput): Step[] {
  const { targets, outboundUri, attemptsBefore, isFirstTargetFull } = input;
  const seen = new Set<string>();
  const steps: Step[] = [];
  for (const [position, target] of targets.entries()) {
    const stored = targetUri(target, outboundUri);
    const uri = stored === null ? "" : proxyUri(stored);
    // A proxy calls nobody twice for one INVITE (RFC 3261 §16.5).
    if (stored !== null && seen.has(uri)) continue;
    seen.add(uri);
    steps.push({
      index: attemptsBefore + steps.length,
      target: target.kind === "sip" ? target.uri : target.number,
      uri,
      left: position === 0 && isFirstTargetFull ? full() : stored === null ? noOutbound() : null,
      branch: "",
      state: "waiting",
    });
  }
  return steps;
}

/** drachtio-srf takes what does not begin with `sip:` for a host name; TLS to this hop is then asked for by the parameter. */
function proxyUri(uri: string): string {
  if (!/^sips:/i.test(uri)) return uri.replace(/^sip:/i, "sip:");
  return `sip:${uri.slice("sips:".length).replace(/;transport=[^;]*/i, "")};transport=tls`;
}
