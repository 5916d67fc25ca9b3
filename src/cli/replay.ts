/**
 * `ringmatch replay`: proves that every record of a window is what the log and the numbers' history say, and, with settings to try, shows what another
 * pool would have given. Exit code 1 when a record is not what it must be.
 */
import { parseArgs } from "node:util";
import { getAccount } from "../account/accounts.store.js";
import { replayWindow } from "../attribution/replay/replay-window.js";
import { AppError } from "../kernel/errors.js";
import type { Command } from "./command.js";
import { replayTable, showReplay } from "./replay-table.js";
import { windowOptions } from "./time-option.js";
import { readWhatIf, tryPool } from "./what-if.js";
import { showWhatIf, whatIfTable } from "./what-if-table.js";
import { withDatabase } from "./with-database.js";

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  account: { type: "string" },
  pool: { type: "string" },
  size: { type: "string" },
  lifetime: { type: "string" },
  retention: { type: "string" },
  order: { type: "string" },
  "page-time": { type: "string" },
  seed: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const EXIT_DIFFERENT = 1;

export const replayCommand: Command = {
  help: `Usage: ringmatch replay --from TIME --to TIME [--account ID] [--json]
       ringmatch replay --from TIME --to TIME --pool ID [--size N] [--lifetime SECONDS] [--retention SECONDS] [--order lru|random] [options]

Attributes every call of the window again, from the presentation log and the numbers' history, and compares with the records: outcome, presentation,
visitor, time and touch, and, of calls that are over, confidence (by the model the record names), first touch, source, channel, landing page, consent and
custom data. Prints the counts and the differences; exit code 1 when there is one. What the log no longer has is counted
apart. The record as the call made it is compared, not its corrections.

With --pool and any setting to try: what that pool's visits and calls would have given with it. Who called is taken from the records.

  --from, --to TIME   ISO 8601, or a date; --to is exclusive
  --account ID        only this account's calls
  --pool ID           the pool to try settings on
  --size N            numbers for visitors, without an overflow number
  --lifetime SECONDS  session_lifetime_s
  --retention SECONDS retention_s
  --order ORDER       lru: presented longest ago first, as the service does; random: any free number
  --page-time SECONDS how long open pages keep a number beyond its lifetime (0)
  --seed N            of the random order (1)
  --json              for programs`,
  run: async (words) => {
    const { values } = parseArgs({ args: [...words], options: OPTIONS });
    const window = windowOptions(values);
    const tried = readWhatIf(values);
    if (tried !== null) {
      const answer = await withDatabase((db) => tryPool(db, { ...tried, ...window }));
      return console.log(values.json ? JSON.stringify(showWhatIf(answer)) : whatIfTable(answer));
    }
    if (values.pool !== undefined)
      throw new AppError(
        "invalid_value",
        "--pool is for trying a setting: give --size, --lifetime, --retention or --order.",
      );
    const accountId = values.account ?? null;
    const report = await withDatabase(async (db) => {
      if (accountId !== null) await getAccount(db, accountId);
      return replayWindow(db, { ...window, accountId });
    });
    console.log(values.json ? JSON.stringify(showReplay(report)) : replayTable(report));
    if (report.different > 0) process.exitCode = EXIT_DIFFERENT;
  },
};
