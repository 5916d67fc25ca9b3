/** What a network's answer means for trying again. Called by its senders. */
import { isJsonObject, type JsonObject } from "../../../kernel/json-object.js";
import type { SentOutcome } from "../retry-rules.js";
import { type Answer, keptOf } from "../send.js";

/** Credentials that are put right, waits that are over and conflicts of the moment: the same bytes may be taken later. */
const RETRIED = new Set([401, 403, 408, 409, 425, 429]);

/** Any other 4xx is about what was sent, and that does not change. */
export function refusedForEver(status: number): boolean {
  return status >= 400 && status < 500 && !RETRIED.has(status);
}

/** @param isFinal the same body is never taken */
export function outcomeOf(answer: Answer, facts: { isFinal: boolean; requestId?: string | null }): SentOutcome {
  const kept = keptOf(answer);
  return kept.kind === "answered" ? { ...kept, ...facts } : kept;
}

/** What we sent to be known by, a network may quote in its answer; the log of deliveries must not. */
export function withoutSecrets(answer: Answer, secrets: readonly string[]): Answer {
  if (answer.kind === "unanswered") return answer;
  return { ...answer, text: secrets.reduce((text, secret) => text.replaceAll(secret, "…"), answer.text) };
}

/** @returns null for what is no JSON object */
export function jsonIn(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch (error) {
    // A proxy's page, or an answer that was cut: it says nothing.
    void error;
    return null;
  }
}
