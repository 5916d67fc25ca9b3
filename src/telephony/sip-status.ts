/** What a SIP final status means for the hunt over a business's targets and for the record (contract: SIP answers). */

/** The attempt never got an answer: its ring timeout passed. No SIP status of its own. */
export type AttemptFailure =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "transport" }
  | { readonly kind: "ring_timeout" };

/** 603 and refusals that another target would repeat end the hunt; busy, absent and broken targets do not. */
export function huntsOn(failure: AttemptFailure): boolean {
  if (failure.kind !== "status") return true;
  const { status } = failure;
  return status === 408 || status === 480 || status === 486 || status === 600 || (status >= 500 && status < 600);
}

export type CallFailure = "busy" | "no_answer" | "failed";

/** How the record calls an attempt that ended with this failure. */
export function failureOf(failure: AttemptFailure): CallFailure {
  if (failure.kind === "ring_timeout") return "no_answer";
  if (failure.kind === "transport") return "failed";
  switch (failure.status) {
    case 486:
    case 600:
      return "busy";
    case 408:
    case 480:
      return "no_answer";
    default:
      return "failed";
  }
}

/**
 * The status the caller's carrier gets after the last target. 486 and 480 tell it the business was reached and is not free;
 * 503 makes it try another route (Telnyx and others fail over on 503, not on 486).
 */
export function finalStatusFor(failure: AttemptFailure): number {
  if (failure.kind === "ring_timeout") return 480;
  if (failure.kind === "transport") return 503;
  const { status } = failure;
  if (status === 486 || status === 600 || status === 480) return 486;
  if (status === 408) return 480;
  // A decline is somebody's word and final. What else a business's own system refuses (401, 403, 404, a redirect) says nothing about our number:
  // passed on, a carrier would take the number for unknown.
  return status === 603 ? 603 : 503;
}
