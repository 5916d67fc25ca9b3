/**
 * Operating faults and refused input, thrown deep and caught at the edge (HTTP, SIP, CLI). Outcomes of the domain (pool exhausted, busy,
 * unknown number) are not errors: they are returned. Every code is explained in docs/errors.md (a test compares the two).
 */

/** Code → HTTP status and the sentence a person reads. */
export const ERROR_CATALOGUE = {
  unreadable_body: [400, "The body could not be read"],
  unauthenticated: [401, "No valid API key"],
  forbidden: [403, "The key does not allow this"],
  origin_not_allowed: [403, "The page's origin is not allowed"],
  bad_signature: [403, "The signature does not fit"],
  not_found: [404, "Not found"],
  method_not_allowed: [405, "The method is not supported here"],
  conflict: [409, "This is not possible in the present state"],
  illegal_transition: [409, "The number cannot make this move"],
  not_clean: [409, "The number is not clean yet"],
  already_exists: [409, "It exists already"],
  inventory_short: [409, "Not enough matching numbers in the inventory"],
  carrier_refused: [409, "The carrier refuses"],
  account_limit: [409, "The account may take no more numbers"],
  idempotency_mismatch: [409, "The Idempotency-Key was used for another request"],
  too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The content type is not supported"],
  invalid_value: [422, "A value is not acceptable"],
  internal: [500, "Something failed on our side"],
  database_unavailable: [503, "The database cannot be reached"],
  carrier_unavailable: [503, "The carrier does not answer"],
  overloaded: [503, "Too much is waiting already"],
  draining: [503, "The service is stopping"],
  config_invalid: [500, "The configuration is not usable"],
  address_taken: [500, "A listening address is taken"],
  data_dir_locked: [500, "Another service uses this data directory"],
  embedded_failed: [500, "An embedded server did not start"],
  secret_unreadable: [500, "A stored secret cannot be decrypted"],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** One refused field: `path` as in `numbers.0.number`, empty for the whole body. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface AppErrorDetails {
  readonly cause?: unknown;
  readonly fields?: readonly FieldError[];
  readonly retryAfterS?: number;
}

export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];
  readonly retryAfterS: number | null;

  /** @param detail one sentence that says what to do; it may reach a client, so it holds no secret and no caller's number */
  constructor(code: ErrorCode, detail: string, details: AppErrorDetails = {}) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.fields = details.fields ?? [];
    this.retryAfterS = details.retryAfterS ?? null;
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code][0];
  }

  get title(): string {
    return ERROR_CATALOGUE[this.code][1];
  }
}

/** The message of anything thrown, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
