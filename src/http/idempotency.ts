/**
 * `Idempotency-Key` on authenticated POSTs: the same key and request get the first answer again, another request under that key is refused, and two at
 * once never both run. A request that its schema refuses is not kept, so a corrected one may use the same key.
 */
import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError, messageOf } from "../kernel/errors.js";
import { principalOf } from "./auth.js";
import type { HttpDeps } from "./http-deps.js";
import { claimKey, freeKey, type IdempotencyKey, keepAnswer } from "./idempotency.store.js";
import { PROBLEM_TYPE } from "./problem.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Set while this request is the one that answers for its key. */
    claimedKey: IdempotencyKey | null;
  }
}

const HEADER = "idempotency-key";
const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;
const RETRY_AFTER_S = 1;

type Deps = Pick<HttpDeps, "db" | "secrets" | "log">;

/** Adds the hooks to an authenticated scope. */
export function addIdempotency(app: FastifyInstance, deps: Deps): void {
  app.decorateRequest("claimedKey", null);
  app.addHook("preHandler", (request, reply) => claimOrReplay(deps, request, reply));
  app.addHook("onSend", async (request, reply, payload) => {
    await settle(deps, request, { status: reply.statusCode, body: typeof payload === "string" ? payload : "" });
    return payload;
  });
}

async function claimOrReplay(deps: Deps, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const given = request.headers[HEADER];
  if (request.method !== "POST" || given === undefined) return undefined;
  if (typeof given !== "string" || !KEY_PATTERN.test(given)) {
    const fields = [{ path: "Idempotency-Key", message: "must be 1 to 255 visible ASCII characters" }];
    throw new AppError("invalid_value", "The Idempotency-Key is not usable.", { fields });
  }
  const key = { scope: principalOf(request).keyId, key: given, requestHash: hashOf(request) };
  const claim = await claimKey(deps, key);
  switch (claim.kind) {
    case "claimed":
      request.claimedKey = key;
      return undefined;
    case "answered": {
      const { status, body } = claim.answer;
      const type = status < 400 ? "application/json; charset=utf-8" : PROBLEM_TYPE;
      return reply.code(status).header("idempotency-replayed", "true").type(type).send(body);
    }
    case "in_progress":
      throw new AppError("conflict", "The first request with this Idempotency-Key is still running.", {
        retryAfterS: RETRY_AFTER_S,
      });
    case "mismatch":
      throw new AppError("idempotency_mismatch", "Use a new Idempotency-Key for another request.");
  }
}

/** Before the answer leaves: who has it may rely on it. */
async function settle(deps: Deps, request: FastifyRequest, answer: { status: number; body: string }): Promise<void> {
  const key = request.claimedKey;
  if (key === null) return;
  request.claimedKey = null;
  try {
    if (answer.status < 500) await keepAnswer(deps, key, answer);
    else await freeKey(deps.db, key);
  } catch (error) {
    // What the request did stands; a retry is told that the first one is still running until the claim counts as abandoned.
    deps.log.warn("http.idempotency_not_settled", { requestId: request.id, error: messageOf(error) });
  }
}

/** Of what was understood, not of the bytes: white space and the order of fields make no other request. */
function hashOf(request: FastifyRequest): Buffer {
  const { method, url, body } = request;
  return createHash("sha256")
    .update(`${method} ${url}\n${JSON.stringify(body ?? null)}`)
    .digest();
}
