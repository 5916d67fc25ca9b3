/** `/v1/calls/conversions.csv`: calls as an ad network takes them by file. */
import { z } from "zod";
import { adConversionOf } from "../../attribution/exports/ad-conversions.js";
import { convertiblePages } from "../../attribution/exports/conversions.store.js";
import { untilNow } from "../../db/database-now.js";
import { accountToRead, principalOf } from "../auth.js";
import { conversionHead, conversionLine, conversionQuery, UPLOAD_CLICK_IDS } from "../contract/conversion-files.js";
import { type Exports, sendExport } from "../export-stream.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

type Query = z.output<typeof conversionQuery>;

export function addConversionExport(app: HttpApp, deps: HttpDeps, exports: Exports): void {
  app.get(
    "/v1/calls/conversions.csv",
    {
      config: { access: "read" },
      schema: {
        summary: "Converted calls as an ad network's upload file",
        description:
          "Matched calls whose touch has the network's click id, and which converted: by a correction or signal, by revenue, or, with min_talk_s, by talk. Times are UTC, values in the account's currency. Meta, TikTok and LinkedIn take no file with click ids.",
        tags: ["Calls"],
        querystring: conversionQuery,
        response: { 200: { description: "CSV", content: { "text/csv": { schema: z.string() } } } },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const lines = linesOf(deps, accountToRead(principalOf(request), query.account_id), query);
      const as = { type: "text/csv; charset=utf-8", filename: `conversions-${query.for}.csv` };
      return sendExport(reply, await exports.start(lines, request.id), as);
    },
  );
}

async function* linesOf(deps: HttpDeps, accountId: string | null, query: Query): AsyncGenerator<string, void> {
  yield conversionHead(query.for);
  const clickId = UPLOAD_CLICK_IDS[query.for];
  const to = await untilNow(deps.db, query.to);
  const window = { accountId, from: query.from ?? null, to, clickIds: [clickId] };
  const asked = { network: query.for, minTalkS: query.min_talk_s ?? null };
  for await (const calls of convertiblePages(deps.db, window)) {
    const conversions = calls.flatMap((call) => adConversionOf(call, asked) ?? []);
    const text = conversions
      .filter(({ clickIdKind }) => clickIdKind === clickId)
      .map((conversion) => conversionLine(query.conversion_name, conversion))
      .join("");
    if (text !== "") yield text;
  }
}
