/** Asks the service's API with the key that a person pasted. What can go wrong is told apart as pages tell it: the key, the request, the service. */

export type Answer<T> =
  | { readonly kind: "ok"; readonly body: T }
  | { readonly kind: "no_key" }
  /** Unknown or revoked key, or one that may not do this. `status` 401 or 403. */
  | { readonly kind: "wrong_key"; readonly status: number; readonly detail: string }
  | { readonly kind: "refused"; readonly status: number; readonly detail: string }
  /** Nobody answered, or what answered is not able to right now. */
  | { readonly kind: "away"; readonly detail: string };

export interface Page<T> {
  readonly data: readonly T[];
  readonly next_cursor: string | null;
}

export type Api = ReturnType<typeof createApi>;

/** A report over a long log takes some seconds. */
const TIMEOUT_MS = 20_000;

/** @param key asked at each request; null: none is given */
export function createApi(key: () => string | null) {
  async function ask<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer<T>> {
    const authorization = key();
    if (authorization === null) return { kind: "no_key" };
    const headers: Record<string, string> = { authorization: `Bearer ${utf8AsLatin1(authorization)}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      const response = await fetch(path, {
        method,
        headers,
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (response.ok) return { kind: "ok", body: (await response.json()) as T };
      return failure(response.status, await detailOf(response));
    } catch (error) {
      return { kind: "away", detail: error instanceof Error ? error.message : String(error) };
    }
  }
  return {
    get: <T>(path: string) => ask<T>("GET", path),
    post: <T>(path: string, body: unknown) => ask<T>("POST", path, body),
  };
}

/** fetch takes Latin-1 alone, and a key may have any printable characters. */
function utf8AsLatin1(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

function failure(status: number, detail: string): Answer<never> {
  if (status === 401 || status === 403) return { kind: "wrong_key", status, detail };
  if (status >= 500 || status === 429) return { kind: "away", detail };
  return { kind: "refused", status, detail };
}

async function detailOf(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: unknown };
    return typeof problem.detail === "string" ? problem.detail : response.statusText;
  } catch (error) {
    // A proxy's page instead of a problem.
    void error;
    return `${response.status} ${response.statusText}`;
  }
}

/** One sentence for a person; null when it went well. */
export function sentenceOf(answer: Answer<unknown>): string | null {
  switch (answer.kind) {
    case "ok":
      return null;
    case "no_key":
      return "Paste an API key to see this.";
    case "wrong_key":
      return answer.status === 401 ? "This key is unknown or was revoked." : answer.detail;
    case "refused":
      return answer.detail;
    case "away":
      return `The service does not answer (${answer.detail}).`;
  }
}
