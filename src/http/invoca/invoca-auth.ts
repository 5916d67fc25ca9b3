/**
 * Who asks, in the ways Invoca's clients say it: `Authorization: <token>` (bare or Bearer), HTTP Basic with the token as user name or password,
 * `?oauth_token=` on GET, `"oauth_token"` in a JSON body. Tokens are our API keys. allocate_number and bulk have the pool's key instead and do not come here.
 */
import type { FastifyRequest } from "fastify";
import { type Account, getAccount } from "../../account/accounts.store.js";
import { AppError } from "../../kernel/errors.js";
import { admit, principalOf } from "../auth.js";
import type { HttpDeps } from "../http-deps.js";
import { InvocaError } from "./invoca-error.js";

/** A preValidation hook: the body, which may hold the token, is read by then. */
export function authenticateInvoca(deps: HttpDeps): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    if (request.is404) return;
    const tokens = tokensOf(request);
    if (tokens.length === 0) throw new InvocaError("Unauthorized", "Send an API token as `Authorization: <token>`.");
    for (const [index, token] of tokens.entries()) {
      try {
        await admit(deps, request, token);
        return;
      } catch (error) {
        const isUnknown = error instanceof AppError && error.code === "unauthenticated";
        if (!isUnknown || index === tokens.length - 1) throw error;
      }
    }
  };
}

/** The account that a network or advertiser id names. @throws InvocaError("RecordNotFound") for another one than the key's */
export async function accountNamed(
  deps: Pick<HttpDeps, "db">,
  request: FastifyRequest,
  input: { what: "Network" | "Advertiser"; id: string },
): Promise<Account> {
  const { accountId } = principalOf(request);
  const { what, id } = input;
  if (accountId !== null && accountId !== id) throw notFound(what, id);
  try {
    return await getAccount(deps.db, id);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") throw notFound(what, id);
    throw error;
  }
}

function notFound(what: string, id: string): InvocaError {
  return new InvocaError("RecordNotFound", `Could not find ${what} ${id}`);
}

function tokensOf(request: FastifyRequest): string[] {
  // Not trimmed: of a key in UTF-8, the last byte may look like a space in Latin-1, as which Node reads headers.
  const header = request.headers.authorization;
  if (header !== undefined && header !== "") return ofHeader(header);
  const { query, body } = request as { query: Record<string, unknown>; body: unknown };
  const given =
    request.method === "GET"
      ? query["oauth_token"]
      : (body as Record<string, unknown> | null | undefined)?.["oauth_token"];
  return typeof given === "string" && given !== "" ? [given] : [];
}

function ofHeader(header: string): string[] {
  const basic = /^Basic +(\S+)$/i.exec(header)?.[1];
  if (basic === undefined) return [header.replace(/^Bearer +/i, "")];
  const [user = "", ...password] = Buffer.from(basic, "base64").toString("utf8").split(":");
  return [user, password.join(":")].filter((token) => token !== "");
}
