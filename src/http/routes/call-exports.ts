/** `/v1/calls.csv` and `/v1/calls.ndjson`: what `/v1/calls` lists, whole, streamed. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { readFieldNames } from "../../attribution/exports/call-field-names.store.js";
import { type CallFilter, callPages } from "../../attribution/exports/call-pages.js";
import { untilNow } from "../../db/database-now.js";
import { accountToRead, principalOf } from "../auth.js";
import { exportQuery, showCall } from "../contract/call.js";
import { callColumns, type ShownCall } from "../contract/call-columns.js";
import { csvCall, csvHead, ndjsonCall } from "../contract/call-lines.js";
import { Exports, sendExport } from "../export-stream.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";
import { addConversionExport } from "./conversion-exports.js";

const tags = ["Calls"];
const DESCRIPTION =
  "Newest first, with the filters of the list; calls that come after the request are not in it. Streamed: an answer whose connection breaks is not complete.";

export function addCallExportRoutes(app: HttpApp, deps: HttpDeps): void {
  const exports = new Exports(deps.log);
  app.addHook("preClose", (done) => {
    exports.close();
    done();
  });
  addCsv(app, deps, exports);
  addNdjson(app, deps, exports);
  addConversionExport(app, deps, exports);
}

function addCsv(app: HttpApp, deps: HttpDeps, exports: Exports): void {
  app.get(
    "/v1/calls.csv",
    {
      config: { access: "read" },
      schema: {
        summary: "All calls as CSV",
        description: `${DESCRIPTION} A column for each leaf of the record, named by its path, and for each touch and custom data field that occurs (200 at most; others are JSON in the column "other"). Lists are JSON. Cells that a spreadsheet would run begin with an apostrophe, E.164 numbers too.`,
        tags,
        querystring: exportQuery,
        response: { 200: { description: "CSV", content: { "text/csv": { schema: z.string() } } } },
      },
    },
    async (request, reply) => {
      const filter = await filterOf(deps, request, request.query);
      const columns = callColumns(await readFieldNames(deps.db, filter));
      const lines = linesOf(deps, request, filter, {
        head: csvHead(columns),
        line: (shown) => csvCall(columns, shown),
      });
      return sendExport(reply, await exports.start(lines, request.id), {
        type: "text/csv; charset=utf-8",
        filename: "calls.csv",
      });
    },
  );
}

function addNdjson(app: HttpApp, deps: HttpDeps, exports: Exports): void {
  app.get(
    "/v1/calls.ndjson",
    {
      config: { access: "read" },
      schema: {
        summary: "All calls as newline-delimited JSON, each as the list shows it",
        description: DESCRIPTION,
        tags,
        querystring: exportQuery,
        response: { 200: { description: "NDJSON", content: { "application/x-ndjson": { schema: z.string() } } } },
      },
    },
    async (request, reply) => {
      const filter = await filterOf(deps, request, request.query);
      const lines = linesOf(deps, request, filter, { head: "", line: ndjsonCall });
      const as = { type: "application/x-ndjson; charset=utf-8", filename: "calls.ndjson" };
      return sendExport(reply, await exports.start(lines, request.id), as);
    },
  );
}

async function filterOf(
  deps: HttpDeps,
  request: FastifyRequest,
  query: z.output<typeof exportQuery>,
): Promise<CallFilter> {
  return {
    accountId: accountToRead(principalOf(request), query.account_id),
    from: query.from ?? null,
    to: await untilNow(deps.db, query.to),
    promoNumber: query.promo_number ?? null,
    poolId: query.pool_id ?? null,
    disposition: query.disposition ?? null,
    attribution: query.attribution ?? null,
    updatedSince: query.updated_since ?? null,
  };
}

/** Callers that are revealed are noted page by page, before the page leaves. */
async function* linesOf(
  deps: HttpDeps,
  request: FastifyRequest,
  filter: CallFilter,
  format: { head: string; line: (shown: ShownCall) => string },
): AsyncGenerator<string, void> {
  let head = format.head;
  for await (const calls of callPages(deps.db, filter)) {
    const view = callerView(deps, request);
    const text = calls.map((call) => format.line(showCall(call, view))).join("");
    await view.audit();
    yield head + text;
    head = "";
  }
  if (head !== "") yield head;
}
