/**
 * Who asks, and whether they may. Keys come as `Authorization: Bearer`; the bootstrap admin key is compared by hash in constant time, all others are
 * looked up in the database at each request, so that a revoked key is dead at once. What belongs to another account does not exist for the asker.
 */
import { timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { findPrincipal, hashKey, type Principal, SCOPES } from "../account/api-keys.store.js";
import { AppError } from "../kernel/errors.js";
import { invariant } from "../kernel/invariant.js";
import type { HttpDeps } from "./http-deps.js";

/** read and write: within one's accounts. admin: the platform itself. A key's scope `admin` includes read and write. */
export type Access = "read" | "write" | "admin";

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    principal: Principal | null;
  }
}

/** The key of ADMIN_API_KEY, in logs and in the history of numbers. */
const BOOTSTRAP_KEY_ID = "admin";

/** An onRequest hook: it runs before any body is read. */
export function authenticate(deps: Pick<HttpDeps, "db" | "adminKeyHash">): (request: FastifyRequest) => Promise<void> {
  return async (request) => {
    const key = bearerOf(request.headers.authorization);
    if (key === null) throw new AppError("unauthenticated", "Send an API key as `Authorization: Bearer <key>`.");
    await admit(deps, request, key);
  };
}

/** The key's owner is who asks from here on. @throws AppError("unauthenticated"); AppError("forbidden") when the key lacks what the route needs */
export async function admit(
  deps: Pick<HttpDeps, "db" | "adminKeyHash">,
  request: FastifyRequest,
  key: string,
): Promise<void> {
  const principal = isBootstrapKey(deps.adminKeyHash, key)
    ? { keyId: BOOTSTRAP_KEY_ID, accountId: null, scopes: SCOPES }
    : await findPrincipal(deps.db, key);
  if (principal === null) throw new AppError("unauthenticated", "The API key is unknown or was revoked.");
  const { access } = request.routeOptions.config;
  invariant(access !== undefined, "every authenticated route names its access");
  request.principal = principal;
  assertAccess(principal, access);
}

export function principalOf(request: FastifyRequest): Principal {
  invariant(request.principal !== null, "the route is authenticated");
  return request.principal;
}

export function isAdmin(principal: Principal): boolean {
  return principal.accountId === null && principal.scopes.includes("admin");
}

/** Who did it, as a number's history says it. */
export function actorOf(request: FastifyRequest): string {
  return `key:${principalOf(request).keyId}`;
}

/**
 * The account that something new belongs to.
 * @throws AppError("not_found") for another account than the key's, AppError("invalid_value") when a key of the platform names none
 */
export function accountToWrite(principal: Principal, asked: string | undefined): string {
  const accountId = accountToRead(principal, asked);
  if (accountId !== null) return accountId;
  const fields = [{ path: "account_id", message: "is required with a key that belongs to no account" }];
  throw new AppError("invalid_value", "Say which account it is for.", { fields });
}

/** The account that a look-up is limited to; null: all of them. @throws AppError("not_found") for another account than the key's */
export function accountToRead(principal: Principal, asked?: string): string | null {
  if (principal.accountId === null) return asked ?? null;
  if (asked !== undefined && asked !== principal.accountId) {
    throw new AppError("not_found", "There is no such account.");
  }
  return principal.accountId;
}

function assertAccess(principal: Principal, access: Access): void {
  const has = principal.scopes.includes("admin") || (access !== "admin" && principal.scopes.includes(access));
  if (!has) throw new AppError("forbidden", `The key lacks the scope ${access}.`);
  if (access === "admin" && principal.accountId !== null) {
    throw new AppError("forbidden", "This needs an admin key of the platform; the key belongs to one account.");
  }
}

/** A key may have spaces inside; those around the header's value are gone already (RFC 9110 §5.5). */
function bearerOf(header: string | undefined): string | null {
  return /^Bearer +([^ ].*)$/i.exec(header ?? "")?.[1] ?? null;
}

/** Node reads headers as Latin-1. Beyond ASCII, most clients send UTF-8, whose bytes are got back here; browsers' fetch sends Latin-1. */
function isBootstrapKey(adminKeyHash: Buffer | null, key: string): boolean {
  return (
    adminKeyHash !== null &&
    [key, Buffer.from(key, "latin1")].some((sent) => timingSafeEqual(adminKeyHash, hashKey(sent)))
  );
}
