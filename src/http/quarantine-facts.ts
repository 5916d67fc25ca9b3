/** What the quarantine block of numbers is made of: the rule and, for those in quarantine, the calls taken since. Three queries for any number of them. */
import { databaseNow } from "../db/database-now.js";
import { summarizeInterceptsOf } from "../pool/intercepts.store.js";
import type { PromoNumber } from "../pool/numbers.store.js";
import { readQuarantineSettings } from "../pool/quarantine-settings.js";
import type { QuarantineFacts } from "./contract/number.js";
import type { HttpDeps } from "./http-deps.js";

/** @returns for each of the given numbers its facts, or null when it is not quarantined */
export async function readQuarantineFacts(
  deps: Pick<HttpDeps, "db">,
  numbers: readonly PromoNumber[],
): Promise<(number: PromoNumber) => QuarantineFacts | null> {
  const quarantined = numbers.filter(({ state }) => state === "quarantined");
  if (quarantined.length === 0) return () => null;
  const [rule, summaries, now] = await Promise.all([
    readQuarantineSettings(deps.db),
    summarizeInterceptsOf(deps.db, quarantined),
    databaseNow(deps.db),
  ]);
  return (number) => {
    const summary = summaries.get(number.id);
    return summary === undefined ? null : { rule, summary, now };
  };
}
