/** `/v1/usage`: what a month costs, by account and pool. */
import { z } from "zod";
import type { Principal } from "../../account/api-keys.store.js";
import { readUsage, type UsageReport } from "../../attribution/reports/usage.store.js";
import { databaseNow } from "../../db/database-now.js";
import { monthBounds, monthOf } from "../../kernel/calendar-month.js";
import { invariant } from "../../kernel/invariant.js";
import { accountToRead, principalOf } from "../auth.js";
import { showUsage, usageCsv, type UsageMonth, usageOut, usageQuery } from "../contract/usage.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Usage"];
const DESCRIPTION =
  "Numbers count while the account holds them (assigned or draining, overflow and static ones too), to the second across every move. An account's key sees its own usage.";

export function addUsageRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/usage",
    {
      config: { access: "read" },
      schema: {
        summary: "What a month costs, by account and pool",
        description: DESCRIPTION,
        tags,
        querystring: usageQuery,
        response: { 200: usageOut },
      },
    },
    async (request) => {
      const { month, report } = await usageOf(deps, principalOf(request), request.query);
      return showUsage(month, report);
    },
  );
  app.get(
    "/v1/usage.csv",
    {
      config: { access: "read" },
      schema: {
        summary: "The same as CSV, one line a pool",
        description: DESCRIPTION,
        tags,
        querystring: usageQuery,
        response: { 200: { description: "CSV", content: { "text/csv": { schema: z.string() } } } },
      },
    },
    async (request, reply) => {
      const { month, report } = await usageOf(deps, principalOf(request), request.query);
      void reply.type("text/csv; charset=utf-8");
      void reply.header("content-disposition", `attachment; filename="usage-${month.month}.csv"`);
      return reply.send(usageCsv(report));
    },
  );
}

async function usageOf(
  deps: Pick<HttpDeps, "db">,
  principal: Principal,
  query: z.output<typeof usageQuery>,
): Promise<{ month: UsageMonth; report: UsageReport }> {
  const accountId = accountToRead(principal, query.account_id);
  const timeZone = query.time_zone;
  const month = query.month ?? monthOf(await databaseNow(deps.db), timeZone);
  const bounds = monthBounds(month, timeZone);
  invariant(bounds !== null, "the contract let a month pass that is none");
  const { to, ...report } = await readUsage(deps.db, { accountId, ...bounds });
  return { month: { month, timeZone, from: bounds.from, to }, report };
}
