/** Why a carrier did not do what it was asked, in a word that says what to do next. Thrown by adapters, caught by whoever asked. */
import { AppError } from "../../kernel/errors.js";

export type FaultKind =
  /** The credential is wrong or locked: a person must act. */
  | "credentials"
  /** The request was understood and is not done; asking again changes nothing. */
  | "refused"
  /** Nothing was done; later it may be. */
  | "rate_limited"
  | "unreachable"
  /** The answer was lost or made no sense: it may have been done. */
  | "unknown_outcome";

export class CarrierFault extends Error {
  override readonly name = "CarrierFault";
  readonly kind: FaultKind;
  /** What the carrier asks us to wait; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(kind: FaultKind, message: string, details: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.retryAfterMs = details.retryAfterMs ?? null;
  }

  /** Another attempt may succeed. */
  get isTemporary(): boolean {
    return this.kind !== "credentials" && this.kind !== "refused";
  }
}

/** For an admin who asked a carrier through the API. Everything else passes through. */
export function asAppError(error: unknown): unknown {
  if (!(error instanceof CarrierFault)) return error;
  if (!error.isTemporary) return new AppError("carrier_refused", error.message, { cause: error });
  const retryAfterS = error.retryAfterMs === null ? undefined : Math.ceil(error.retryAfterMs / 1000);
  return new AppError("carrier_unavailable", error.message, {
    cause: error,
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  });
}
