/** Where pages and people reach the service: as configured, else as they did just now. Called by routes that answer with addresses of their own. */
import type { FastifyRequest } from "fastify";
import type { HttpDeps } from "./http-deps.js";

/** @returns without a slash at the end */
export function baseUrlOf(
  { publicBaseUrl }: Pick<HttpDeps, "publicBaseUrl">,
  { protocol, host }: Pick<FastifyRequest, "protocol" | "host">,
): string {
  return (publicBaseUrl ?? `${protocol}://${host}`).replace(/\/+$/, "");
}
