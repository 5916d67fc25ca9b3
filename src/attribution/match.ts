/**
 * Whose call is it? The LATEST visitor who was presented the number at or before the call's arrival, within the retention of that
 * presentation, in the pool and under the owner the number had then. Order is the number's own sequence, never a clock. Pure.
 */

export type AttributionOutcome =
  | "matched"
  | "overflow"
  | "expired"
  | "never_presented"
  | "quarantined"
  | "unattributable";

/** One presentation of a number, as the number row or the log has it. Times in ms. */
export interface PresentedTo {
  readonly seq: number;
  readonly presentationId: string;
  readonly visitorId: string;
  readonly presentedAt: number;
  readonly retainedUntil: number;
}

export type Match =
  | { readonly outcome: "matched"; readonly presentation: PresentedTo; readonly ageMs: number }
  /** `latest` is who would have been matched within retention; kept for the explanation only. */
  | { readonly outcome: "expired"; readonly latest: PresentedTo }
  | { readonly outcome: "overflow" | "never_presented" | "quarantined" | "unattributable" };

export type NumberStanding =
  | { readonly kind: "unknown" }
  /** Held by no business: quarantined, available or retired. */
  | { readonly kind: "unrouted" }
  | { readonly kind: "overflow" }
  /** Belongs to a source, not to a visitor. */
  | { readonly kind: "static" }
  | {
      readonly kind: "pooled";
      readonly latest: PresentedTo | null;
      /**
       * Read from a log that has not all of that time any more: a presentation after `latest`, and before the call, may have been in it. Only a match that
       * is made afterwards can find it so.
       */
      readonly isIncomplete?: boolean;
    };

/** @param receivedAt the call's arrival by the database's clock, ms */
export function matchCall(input: { standing: NumberStanding; receivedAt: number }): Match {
  const { standing, receivedAt } = input;
  switch (standing.kind) {
    case "unknown":
      return { outcome: "unattributable" };
    case "unrouted":
      return { outcome: "quarantined" };
    case "overflow":
      return { outcome: "overflow" };
    case "static":
      return { outcome: "never_presented" };
    case "pooled": {
      const { latest, isIncomplete = false } = standing;
      if (isIncomplete) return { outcome: "unattributable" };
      if (latest === null) return { outcome: "never_presented" };
      if (receivedAt > latest.retainedUntil) return { outcome: "expired", latest };
      // Sequence decides, so a clock that stepped back may show a presentation in the call's future: its age is then zero.
      return { outcome: "matched", presentation: latest, ageMs: Math.max(0, receivedAt - latest.presentedAt) };
    }
  }
}

/** The latest by sequence of presentations in any order: what replay and late attribution feed to matchCall. */
export function latestOf(presentations: readonly PresentedTo[]): PresentedTo | null {
  let latest: PresentedTo | null = null;
  for (const presentation of presentations) {
    if (latest === null || presentation.seq > latest.seq) latest = presentation;
  }
  return latest;
}
