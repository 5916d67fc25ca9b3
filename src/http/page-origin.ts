/** Which pages may read what the service answers about an account's numbers. Called by presentations and renewals once they know the account. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Account } from "../account/accounts.store.js";
import { isOriginAllowed } from "../account/allowed-origins.js";
import { AppError } from "../kernel/errors.js";

/**
 * While no origins are listed any page may ask, and so may whatever is no page: browsers name the origin with every POST (Fetch, section 3.1).
 * @throws AppError("origin_not_allowed")
 */
export function admitOrigin(
  { allowedOrigins }: Pick<Account, "allowedOrigins">,
  input: { request: FastifyRequest; reply: FastifyReply; onRefused: () => void },
): void {
  const { request, reply, onRefused } = input;
  if (allowedOrigins.length === 0) return;
  const { origin } = request.headers;
  void reply.header("vary", "origin").removeHeader("access-control-allow-origin");
  if (origin === undefined) return;
  if (!isOriginAllowed(origin, allowedOrigins)) {
    onRefused();
    throw new AppError("origin_not_allowed", "Add the page's origin to the account's allowed_origins.");
  }
  void reply.header("access-control-allow-origin", origin);
}
