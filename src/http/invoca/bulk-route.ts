/**
 * `POST /api/<date>/bulk.json`: many numbers at once, answered in the order they were asked for, each row with its own success or error.
 * Invoca's prose calls the list "request", its samples "requests": both are taken.
 */
import { isJsonObject } from "../../kernel/json-object.js";
import type { FastifyRequest } from "fastify";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import type { HttpMetrics } from "../http-metrics.js";
import { type AllocateDeps, type AllocationAsked, allocateNumbers, type AllocationResult } from "./allocate.js";
import { InvocaError, invocaErrorOf } from "./invoca-error.js";

/** Twice the rows of one allocation statement: more would only wait in line, and who waits longer than 1.2 s gets nothing. */
export const BULK_REQUESTS_MAX = 500;
const SUFFIX = /^\/?(?:ring_pools\/)?([^/?]+)\/allocate_number(?:\.json)?(?:\?(.*))?$/s;

export function addBulkRoute(app: HttpApp, deps: HttpDeps, metrics: Pick<HttpMetrics, "presented">): void {
  const allocating = { ...deps, presented: metrics.presented };
  app.post<{ Body: unknown }>("/:date/bulk.json", { schema: { hide: true } }, async (request, reply) => {
    const since = deps.clock.monotonicMs();
    const responses = await answerAll(allocating, request, readRows(request.body));
    void reply.header("processing-time", String(Math.round(deps.clock.monotonicMs() - since)));
    return { responses };
  });
}

interface BulkRow {
  readonly requestId: unknown;
  /** Or why it cannot be. */
  readonly asked: AllocationAsked | AllocationResult;
}

async function answerAll(deps: AllocateDeps, request: FastifyRequest, rows: readonly BulkRow[]): Promise<object[]> {
  const asked = rows.flatMap((row) => ("kind" in row.asked ? [] : [row.asked]));
  const results = (await allocateNumbers(deps, asked, { needsParameter: true })).values();
  return rows.map((row) => {
    const id = row.requestId === undefined ? {} : { request_id: row.requestId };
    const result = "kind" in row.asked ? row.asked : (results.next().value as AllocationResult);
    return { ...id, ...showResult(deps, request, result) };
  });
}

const BAD_ID: AllocationResult = {
  kind: "refused",
  errorClass: "InvalidInput",
  message: "request_id must be text or a number",
};

const UNREADABLE: AllocationResult = {
  kind: "refused",
  errorClass: "InvalidInput",
  message: "api_suffix must be <RING_POOL_ID>/allocate_number.json?ring_pool_key=<KEY>&<parameter>=<value>",
};

function showResult(deps: AllocateDeps, request: FastifyRequest, result: AllocationResult): object {
  switch (result.kind) {
    case "allocated": {
      const { formatted, number, trackingUrl, isOverflow } = result;
      const row = { promo_number_formatted: formatted, promo_number: number, tracking_url: trackingUrl };
      return isOverflow ? { ...row, overflow: true } : row;
    }
    case "refused":
      return { error_class: result.errorClass, message: result.message };
    case "failed": {
      const { errorClass, message } = invocaErrorOf(deps, result.error, request);
      return { error_class: errorClass, message };
    }
  }
}

function readRows(body: unknown): BulkRow[] {
  const list = isJsonObject(body) ? (body["requests"] ?? body["request"]) : undefined;
  if (!Array.isArray(list) || list.length === 0) {
    throw new InvocaError("InvalidInput", "requests must be an array with at least one entry");
  }
  if (list.length > BULK_REQUESTS_MAX) {
    throw new InvocaError("InvalidInput", `requests are limited to ${BULK_REQUESTS_MAX}`);
  }
  return list.map((row: unknown) => {
    if (!isJsonObject(row)) return { requestId: undefined, asked: UNREADABLE };
    const requestId = row["request_id"];
    // It is given back, and what is nested deep enough can be read but not written.
    if (typeof requestId === "object" && requestId !== null) return { requestId: undefined, asked: BAD_ID };
    return { requestId, asked: askedIn(row["api_suffix"]) ?? UNREADABLE };
  });
}

/** Decoded as forms are: a plus is a space, and a percent sign that starts no escape is one. */
function askedIn(suffix: unknown): AllocationAsked | null {
  if (typeof suffix !== "string") return null;
  const [, id, search = ""] = SUFFIX.exec(suffix.trim()) ?? [];
  if (id === undefined) return null;
  // Of a name that comes twice the first counts.
  return { poolId: decoded(id), query: Object.fromEntries([...new URLSearchParams(search)].reverse()) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    // No escape after all; it names no pool, and its row says so.
    void error;
    return text;
  }
}
