/**
 * Commands to Telnyx's API (the only carrier that is commanded). A caller hears silence meanwhile, so all of a webhook's commands have two seconds; what
 * was not accepted by then makes the webhook fail, and Telnyx sends it again or goes to the failover URL. A command may arrive twice: its `command_id`
 * makes that harmless. A credential without `api_key` commands nothing, and every call says so in the log. Neither keys nor bodies are logged. Called by inbound-route.ts.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { CarrierCredential } from "../../account/carrier-credentials.store.js";
import type { Clock } from "../../kernel/clock.js";
import { AppError, messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { CarrierCommand } from "./carrier-adapter.js";
import type { SendCommands } from "./inbound-route.js";

/** For all commands of one webhook together: what a caller may be kept waiting. */
export const COMMANDS_BUDGET_MS = 2_000;
/** Telnyx says to send the same command again after 500 ms without an answer (…/programmable-voice/command-retries). */
export const COMMAND_TRY_MS = 500;
/** Between two tries, so that a refused connection does not make us spin, and an answered call has the time to become one. */
export const COMMAND_PAUSE_MS = 100;

export interface CommandDeps {
  readonly log: Log;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** TELNYX_API_URL */
  readonly apiUrl: string;
}

/** @throws AppError("carrier_unavailable") */
export function commandSender(deps: CommandDeps): SendCommands {
  return async (credential, commands) => {
    const apiKey = apiKeyOf(credential);
    if (apiKey === null) {
      // Refusing the webhook would only bring it again: it is recorded, and what is missing an operator must set (PUT /v1/carriers/telnyx).
      const { id: credentialId, carrier } = credential;
      deps.log.error("carrier_command.no_api_key", { carrier, credentialId, commands: commands.length });
      return;
    }
    const endsAtMs = deps.clock.monotonicMs() + COMMANDS_BUDGET_MS;
    for (const command of commands) {
      const sent = await send(deps, { credential, apiKey, command, endsAtMs });
      // A call that is over takes no further command either.
      if (sent === "call_ended") return;
    }
  };
}

function apiKeyOf({ secrets }: CarrierCredential): string | null {
  const key = secrets["api_key"];
  return typeof key === "string" && key !== "" ? key : null;
}

interface Sending {
  readonly credential: CarrierCredential;
  readonly apiKey: string;
  readonly command: CarrierCommand;
  readonly endsAtMs: number;
}

async function send(deps: CommandDeps, sending: Sending): Promise<"accepted" | "call_ended"> {
  const { credential, command, endsAtMs } = sending;
  const fields = { carrier: credential.carrier, credentialId: credential.id, action: command.path.split("/").at(-1) };
  let answerFirst = command.ifUnanswered;
  for (let tries = 1; ; tries += 1) {
    const leftMs = endsAtMs - deps.clock.monotonicMs();
    const outcome: Outcome = leftMs <= 0 ? LATE : await post(deps, sending, Math.min(COMMAND_TRY_MS, leftMs));
    const told = { ...fields, tries, reason: outcome.reason };
    switch (outcome.kind) {
      case "accepted":
        return outcome.kind;
      case "call_ended":
        deps.log.info("carrier_command.call_ended", told);
        return outcome.kind;
      case "refused":
        deps.log.error("carrier_command.refused", told);
        throw unavailable(outcome.reason);
      case "late":
        deps.log.error("carrier_command.late", told);
        throw unavailable(outcome.reason);
      case "unanswered":
        if (answerFirst !== undefined) {
          if ((await send(deps, { ...sending, command: answerFirst })) === "call_ended") return "call_ended";
          answerFirst = undefined;
        }
        break;
      case "again":
        deps.log.warn("carrier_command.again", told);
        break;
    }
    await pause(COMMAND_PAUSE_MS);
  }
}

function unavailable(reason: string): AppError {
  return new AppError("carrier_unavailable", `Telnyx did not take a command: ${reason}.`);
}

interface Outcome {
  readonly kind: "accepted" | "call_ended" | "unanswered" | "again" | "refused" | "late";
  /** For the log and the answer: no words of the carrier's, which may hold numbers. */
  readonly reason: string;
}

const LATE: Outcome = { kind: "late", reason: "it was not accepted in time" };

async function post({ apiUrl }: CommandDeps, { apiKey, command }: Sending, limitMs: number): Promise<Outcome> {
  try {
    const response = await fetch(apiUrl.replace(/\/+$/, "") + command.path, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(command.body),
      redirect: "manual",
      signal: AbortSignal.timeout(limitMs),
    });
    const text = await response.text();
    return outcomeOf(response.status, text);
  } catch (error) {
    return { kind: "again", reason: `no answer (${messageOf(error)})` };
  }
}

/** developers.telnyx.com/development/api-fundamentals/api-errors: the call has ended, and it has not been answered yet. */
const CALL_ENDED = "90018";
const NOT_ANSWERED = "90034";

function outcomeOf(status: number, text: string): Outcome {
  if (status >= 200 && status < 300) return { kind: "accepted", reason: String(status) };
  const code = errorCodeIn(text);
  const reason = `it answered ${status}${code === null ? "" : ` (${code})`}`;
  if (code === CALL_ENDED) return { kind: "call_ended", reason };
  if (code === NOT_ANSWERED) return { kind: "unanswered", reason };
  // Of a call that it has forgotten; a 404 that is none of Telnyx's own says that TELNYX_API_URL is wrong.
  if (status === 404 && code !== null) return { kind: "call_ended", reason };
  if (status >= 500 || status === 429 || status === 408) return { kind: "again", reason };
  return { kind: "refused", reason };
}

/** `{errors: [{code, title, detail}]}`; a proxy in between may answer anything. */
function errorCodeIn(text: string): string | null {
  try {
    const { errors } = (JSON.parse(text) ?? {}) as { errors?: unknown };
    const [first] = Array.isArray(errors) ? (errors as unknown[]) : [];
    const code = (first as { code?: unknown } | undefined)?.code;
    return (typeof code === "string" || typeof code === "number") && /^\d{1,6}$/.test(String(code))
      ? String(code)
      : null;
  } catch (error) {
    void error;
    return null;
  }
}
