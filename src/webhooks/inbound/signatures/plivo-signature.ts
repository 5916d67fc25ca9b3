/**
 * Plivo's signature V3 (plivo.com/docs/voice/concepts/signature-validation; the rules are those of the carrier's own package, which the tests hold this
 * against): HMAC-SHA256 with an auth token, in base64, over URL, sorted query, sorted form and a nonce. For plivo.ts.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../../../kernel/errors.js";
import type { CarrierRequest } from "../carrier-adapter.js";
import { type FormParams, parseForm } from "../reading/form-body.js";

/** Plivo's nonces have 20 digits; one that long is none of its. */
const NONCE = /^[\x21-\x7e]{1,128}$/;

/**
 * V3 is signed with the token of the account or subaccount that has the number, Ma-V3 with the main account's. Either may be the one that was given to
 * us, and a header holds several signatures while Plivo rotates a token.
 * @returns the nonce; null when none of the tokens signed this request
 * @throws AppError("unreadable_body")
 */
export function plivoNonce(request: CarrierRequest, tokens: readonly string[]): string | null {
  const nonce = request.headers["x-plivo-signature-v3-nonce"];
  if (typeof nonce !== "string" || !NONCE.test(nonce)) return null;
  const given = [request.headers["x-plivo-signature-v3"], request.headers["x-plivo-signature-ma-v3"]]
    .flatMap((header) => (typeof header === "string" ? header.split(",") : []))
    .map((signature) => Buffer.from(signature.trim()));
  const signed = signedText(request, nonce);
  if (signed === null) return null;
  const isSigned = tokens
    .map((token) => Buffer.from(createHmac("sha256", token).update(signed).digest("base64")))
    .flatMap((expected) => given.map((one) => one.length === expected.length && timingSafeEqual(one, expected)))
    .includes(true);
  return isSigned ? nonce : null;
}

/** Names and values decoded, sorted, a repeated name once for each value. Null: the URL's query cannot be decoded. */
function signedText({ url, rawBody }: CarrierRequest, nonce: string): string | null {
  const [base = "", ...rest] = url.split("?");
  const query = queryOf(rest.join("?"));
  if (query === null) return null;
  const inUrl = sortedPairs(query).map(([name, value]) => `${name}=${value}`);
  const inBody = sortedPairs(parseForm(rawBody)).map(([name, value]) => name + value);
  const hasForm = inBody.length > 0;
  const asked = inUrl.length > 0 || hasForm ? `${base}?${inUrl.join("&")}` : base;
  const form = inUrl.length > 0 && hasForm ? `.${inBody.join("")}` : inBody.join("");
  return `${asked}${form}.${nonce}`;
}

function queryOf(text: string): FormParams | null {
  try {
    return parseForm(Buffer.from(text));
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

function sortedPairs(params: FormParams): (readonly [string, string])[] {
  return Object.keys(params)
    .sort()
    .flatMap((name) =>
      [params[name] ?? ""]
        .flat()
        .sort()
        .map((value) => [name, value] as const),
    );
}
