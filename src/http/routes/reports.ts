/** `GET /v1/reports/…`: what happened, added up. */
import { databaseNow } from "../../db/database-now.js";
import { type BotFigures, type BotTally, readBotFigures } from "../../pool/bot-tally.js";
import { accountToRead, principalOf } from "../auth.js";
import { botReportOut, botReportQuery, hoursOf, showBotFigures, showWindow } from "../contract/report.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const LIST = "bots";

export function addReportRoutes(app: HttpApp, deps: HttpDeps, bots: BotTally): void {
  app.get(
    "/v1/reports/bots",
    {
      config: { access: "read" },
      schema: {
        summary: "What suspected bots were refused, by account and reason",
        description:
          "A suspected bot gets the overflow or the original number. Counted by the hour, some seconds late with several processes; numbers_saved estimates how many promo numbers the pools did not need because of it.",
        tags: ["Reports"],
        querystring: botReportQuery,
        response: { 200: botReportOut },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const now = await databaseNow(deps.db);
      const hours = hoursOf(request.query, now);
      // What this process counted a moment ago belongs into the answer.
      await bots.flush();
      const rows = await readBotFigures(deps.db, {
        ...hours,
        accountId: accountToRead(principalOf(request), asked),
        after: afterKey(LIST, cursor),
        limit: limit + 1,
      });
      const passed = { from: hours.from, to: Math.min(hours.to, now) };
      const show = (figures: BotFigures) => showBotFigures(figures, passed);
      const positionOf = ({ accountId, reason }: BotFigures) => [`${accountId} ${reason}`];
      return { ...pageOf(LIST, { rows, limit, positionOf, show }), ...showWindow(hours) };
    },
  );
}
