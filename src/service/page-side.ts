/** What the pages are made of: the files of the build, read once, and the demo account of embedded mode. */
import { readdirSync, readFileSync } from "node:fs";
import { findDemoAccount, DEMO_BUSINESS_NUMBER } from "../dev/demo-account.js";
import type { Database } from "../db/database.js";
import type { PageFiles, PagesInput } from "../http/pages.js";
import type { Log } from "../kernel/log.js";

/** From src/ as from dist/: scripts/build-dashboard.mjs puts them there. */
const FOLDER = new URL("../../dist/dashboard/", import.meta.url);

export function pagesInput(input: { db: Database; log: Log; isEmbedded: boolean }): PagesInput {
  const { db, log, isEmbedded } = input;
  return {
    files: readFiles(log),
    demo: async () => {
      const account = isEmbedded ? await findDemoAccount(db) : null;
      return account === null ? null : { tagKey: account.tagKey, number: DEMO_BUSINESS_NUMBER };
    },
  };
}

function readFiles(log: Log): PageFiles | null {
  try {
    const names = readdirSync(FOLDER);
    return Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, FOLDER), "utf8")]));
  } catch (error) {
    // Calls, the API and the tag do without.
    log.warn("pages.not_built", { error });
    return null;
  }
}
