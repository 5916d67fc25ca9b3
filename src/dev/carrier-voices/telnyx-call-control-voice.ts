/**
 * Telnyx Call Control as it speaks to us: events of both legs in JSON, our commands read back. What it does with commands is told as it obeys them: it
 * gives `client_state` back, sends a transferred leg's events to that transfer's webhook_url and everything else to the application's one URL.
 */
import { createHash } from "node:crypto";
import { systemClock } from "../../kernel/clock.js";
import type {
  CarrierVoice,
  Dialled,
  Heard,
  Outcome,
  SpokenAnswer,
  SpokenCall,
  SpokenRequest,
} from "./carrier-voice.js";
import { telnyxKeys } from "./telnyx-keys.js";

type Fields = Readonly<Record<string, unknown>>;

const CONNECTION_ID = "1494404757140276705";

export const telnyxCallControlVoice: CarrierVoice = {
  carrier: "telnyx",
  name: "telnyx call control",
  canHunt: true,
  tellsTalk: false,
  signsTime: true,
  signsNonce: false,
  signsBody: true,
  makeKeys: telnyxKeys,
  /** The session's. */
  makeCallId: (random) => random.uuid(),
  voice: (call, baseUrl) =>
    event(appUrl(baseUrl), call, {
      type: "call.initiated",
      leg: {
        ...callerLeg(call),
        direction: "incoming",
        state: "parked",
        caller_id_name: call.callerName ?? call.from ?? "anonymous",
        calling_party_type: "pstn",
        connection_codecs: "PCMA,PCMU",
        offered_codecs: "PCMU,G729",
        ...(call.isVerified ? { shaken_stir_attestation: "A", shaken_stir_validated: true } : {}),
      },
    }),
  progress: (call, { heard, state }) =>
    // It does not tell that a phone rings.
    state === "ringing" ? null : event(urlOf(heard), call, { type: "call.answered", leg: businessLeg(call, heard) }),
  dialEnded: (call, { heard, outcome }) =>
    event(urlOf(heard), call, {
      type: "call.hangup",
      leg: { ...businessLeg(call, heard), ...CAUSES[outcome.kind], ...sourceOf(outcome) },
    }),
  callEnded: (call, { outcome, baseUrl }) => {
    const cause = outcome.kind === "canceled" ? "originator_cancel" : "normal_clearing";
    const leg = { ...callerLeg(call), hangup_cause: cause, sip_hangup_cause: "unspecified", ...sourceOf(outcome) };
    return event(appUrl(baseUrl), call, { type: "call.hangup", leg });
  },
  hear,
};

/** A leg's call_control_id; of the caller's leg without `dialled`. */
export function controlIdOf(call: SpokenCall, dialled = ""): string {
  return `v3:${digestOf(call.id, dialled).toString("base64url")}`;
}

const CAUSES: Readonly<Record<Outcome["kind"], Fields>> = {
  answered: { hangup_cause: "normal_clearing", sip_hangup_cause: "200" },
  busy: { hangup_cause: "user_busy", sip_hangup_cause: "486" },
  no_answer: { hangup_cause: "timeout", sip_hangup_cause: "487" },
  failed: { hangup_cause: "unspecified", sip_hangup_cause: "503" },
  canceled: { hangup_cause: "originator_cancel", sip_hangup_cause: "487" },
};

function sourceOf(outcome: Outcome): Fields {
  const byOutcome = { busy: "callee", no_answer: "unknown", failed: "unknown", canceled: "caller" } as const;
  return { hangup_source: outcome.kind === "answered" ? outcome.releasedBy : byOutcome[outcome.kind] };
}

function callerLeg(call: SpokenCall): Fields {
  return { call_control_id: controlIdOf(call), client_state: null, from: call.from ?? "anonymous", to: call.to };
}

/** A withheld caller's number is not shown: Telnyx then shows the number that was dialled. */
function businessLeg(call: SpokenCall, heard: Dialled): Fields {
  return {
    call_control_id: controlIdOf(call, heard.target),
    client_state: heard.echoed ?? null,
    from: call.from ?? call.to,
    to: heard.target,
  };
}

function event(url: string, call: SpokenCall, { type, leg }: { type: string; leg: Fields }): SpokenRequest {
  const payload = { connection_id: CONNECTION_ID, call_session_id: call.id, call_leg_id: call.id, ...leg };
  const data = {
    record_type: "event",
    event_type: type,
    id: digestOf(call.id, type, String(leg["call_control_id"])).toString("hex"),
    occurred_at: new Date(systemClock.now()).toISOString(),
    payload,
  };
  const body = JSON.stringify({ data, meta: { attempt: 1, delivered_to: url } });
  return { method: "POST", url, contentType: "application/json", body };
}

function appUrl(baseUrl: string): string {
  return `${baseUrl}/webhooks/telnyx/voice`;
}

function urlOf({ dialUrl }: Dialled): string {
  if (dialUrl === null) throw new Error("a transfer without a webhook_url");
  return dialUrl;
}

function digestOf(...parts: readonly string[]): Buffer {
  return createHash("sha256").update(parts.join("\n")).digest().subarray(0, 20);
}

const PATH = /^\/v2\/calls\/([^/]+)\/actions\/([a-z_]+)$/;

/** Of all commands those to this call's leg, in order: what they come to. */
function hear({ commands }: SpokenAnswer, call: SpokenCall): Heard {
  let spoken: string | null = null;
  for (const { path, body } of commands) {
    const [, id = "", action = ""] = PATH.exec(path) ?? [];
    if (decodeURIComponent(id) !== controlIdOf(call)) continue;
    if (typeof body["command_id"] !== "string") throw new Error(`a command without command_id: ${path}`);
    switch (action) {
      case "transfer":
        return dialledBy(body);
      case "reject":
        return { kind: rejection(body["cause"]) };
      case "hangup":
        return { kind: "hangup" };
      case "speak":
        spoken = String(body["payload"]);
        break;
      case "answer":
        break;
      default:
        throw new Error(`an unknown command: ${path}`);
    }
  }
  return spoken === null ? { kind: "nothing" } : { kind: "announce", text: spoken };
}

function rejection(cause: unknown): "busy" | "reject" {
  if (cause !== "USER_BUSY" && cause !== "CALL_REJECTED") throw new Error("a rejection without a cause");
  return cause === "USER_BUSY" ? "busy" : "reject";
}

function dialledBy(body: Fields): Heard {
  const { to, timeout_secs: timeout, webhook_url: url, target_leg_client_state: echoed } = body;
  if (typeof to !== "string" || typeof timeout !== "number" || typeof url !== "string")
    throw new Error("a transfer to nobody");
  return {
    kind: "dial",
    target: to,
    ringTimeoutS: timeout,
    dialUrl: url,
    statusUrl: url,
    whisperUrl: null,
    isRecorded: body["record"] === "record-from-answer",
    announcement: null,
    ...(typeof echoed === "string" ? { echoed } : {}),
  };
}
