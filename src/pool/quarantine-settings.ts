/** The platform's quarantine rule and its list of callers that do not count. */
import { readSetting, writeSetting } from "../account/settings.store.js";
import { sql, type Queryable } from "../db/database.js";
import { defaultQuarantineRule, type QuarantineRule } from "./quarantine.js";

export interface QuarantineSettings extends QuarantineRule {
  /** E.164; robocallers and test probes whose calls say nothing about a number. */
  readonly spamCallers: readonly string[];
  /** Numbers not clean after this long are proposed for retirement; null: never. */
  readonly retireAfterS: number | null;
}

const SETTING = "quarantine";

// Every number in quarantine is judged anew: a changed rule holds for all, and none may leave on an old one's date.
const RECHECK_ALL = sql(
  "quarantine_recheck_all",
  `update promo_number set next_check_at = now() where state = 'quarantined' returning e164, ownership_epoch as "ownershipEpoch"`,
);

export const defaultQuarantineSettings: QuarantineSettings = {
  ...defaultQuarantineRule,
  spamCallers: [],
  retireAfterS: null,
};

export async function readQuarantineSettings(db: Queryable): Promise<QuarantineSettings> {
  return { ...defaultQuarantineSettings, ...(await readSetting<QuarantineSettings>(db, SETTING)) };
}

/** @returns the numbers to look at again because of it */
export async function writeQuarantineSettings(
  db: Queryable,
  settings: QuarantineSettings,
): Promise<{ e164: string; ownershipEpoch: number }[]> {
  await writeSetting(db, SETTING, settings);
  return db.query(RECHECK_ALL);
}
