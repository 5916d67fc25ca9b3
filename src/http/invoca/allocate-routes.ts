/** `GET /api/<date>/ring_pools/<id>/allocate_number.{json,xml,csv}`: one number for one visitor. The pool's key is the only credential. */
import { element, xmlDocument } from "../../kernel/xml.js";
import { csvLine } from "../csv.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import type { HttpMetrics } from "../http-metrics.js";
import { type AllocatedNumber, allocateNumbers, assertAllocated } from "./allocate.js";
import { firstOf } from "./read-values.js";

const FORMATS = ["json", "xml", "csv"] as const;
type Format = (typeof FORMATS)[number];

const TYPES: Readonly<Record<Format, string>> = {
  json: "application/json; charset=utf-8",
  xml: "application/xml; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

export function addAllocateRoutes(app: HttpApp, deps: HttpDeps, metrics: Pick<HttpMetrics, "presented">): void {
  const allocating = { ...deps, presented: metrics.presented };
  for (const format of FORMATS) {
    app.get<{ Params: { pool: string }; Querystring: Record<string, unknown> }>(
      `/:date/ring_pools/:pool/allocate_number.${format}`,
      { config: { invocaErrors: format === "xml" ? "xml" : "text" }, schema: { hide: true } },
      async (request, reply) => {
        const query = Object.fromEntries(
          Object.entries(request.query).map(([name, value]) => [name, firstOf(value) ?? ""]),
        );
        const asked = [{ poolId: request.params.pool, query }];
        const [result] = await allocateNumbers(allocating, asked, { needsParameter: false });
        return reply.type(TYPES[format]).send(write(format, assertAllocated(result)));
      },
    );
  }
}

function write(format: Format, { formatted, number, trackingUrl }: AllocatedNumber): string {
  switch (format) {
    case "json":
      return JSON.stringify({ promo_number_formatted: formatted, tracking_url: trackingUrl, promo_number: number });
    case "xml":
      return xmlDocument(
        element("Response", {}, [
          element("PromoNumberFormatted", {}, [formatted]),
          element("PromoNumber", {}, [number]),
          element("TrackingUrl", {}, [trackingUrl ?? ""]),
        ]),
      );
    case "csv":
      return `${csvLine(["PromoNumberFormatted", "PromoNumber", "TrackingUrl"])}${csvLine([formatted, number, trackingUrl])}`;
  }
}
