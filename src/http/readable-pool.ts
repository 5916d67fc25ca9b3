/** The pool of a path, if it is the asker's. */
import type { FastifyRequest } from "fastify";
import { getPool, type Pool } from "../pool/pools.store.js";
import { principalOf } from "./auth.js";
import type { HttpDeps } from "./http-deps.js";

/** @throws AppError("not_found") for another account's pool too */
export function readablePool(deps: Pick<HttpDeps, "db">, request: FastifyRequest, id: string): Promise<Pool> {
  return getPool(deps.db, { id, accountId: principalOf(request).accountId });
}
